"""What trains and scores a model; everything here is the same for every model."""

from dien_edu.training.ablation import ablation, train_one
from dien_edu.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from dien_edu.training.evaluate import evaluate, predict
from dien_edu.training.fit import find_device, fit, losses
from dien_edu.training.metrics import auc, gauc, log_loss
from dien_edu.training.record import choose_profile, provenance
