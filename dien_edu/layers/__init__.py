"""The parts of the network, one file an idea; every layer is tested against `reference`."""

from dien_edu.layers.attention import BilinearAttention, masked_softmax
from dien_edu.layers.auxiliary import AuxiliaryLoss
from dien_edu.layers.evolution import AGRU, AIGRU, AUGRU, EVOLUTIONS
from dien_edu.layers.gru import GRU
