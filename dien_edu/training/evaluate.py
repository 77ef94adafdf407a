"""Score a trained model on samples it did not learn from (chapter 01)."""

from __future__ import annotations

import numpy as np
import torch

from dien_edu.data.samples import Samples
from dien_edu.models import ClickModel
from dien_edu.training import parallel
from dien_edu.training.metrics import auc, gauc, log_loss


@torch.no_grad()
def predict(
    model: ClickModel, samples: Samples, batch_size: int = 1024
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """User, label and logit of every sample, each (S,), on the model's own device.

    Of several processes each scores a part, and all must call it: each gets the whole.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    columns = [
        (batch.user, batch.label, model(batch).logit)
        for batch in parallel.portion(samples).batches(batch_size, negatives=False, device=device)
    ]
    model.train(was_training)
    columns = (torch.cat(column).cpu().numpy() for column in zip(*columns, strict=True))
    return parallel.gather(tuple(columns))


def evaluate(model: ClickModel, samples: Samples, batch_size: int = 1024) -> dict[str, float]:
    """{"auc", "gauc", "log_loss"} of the model on these samples; its mode is left as it was."""
    user, label, logit = predict(model, samples, batch_size)
    return {
        "auc": auc(label, logit),
        "gauc": gauc(user, label, logit),
        "log_loss": log_loss(label, logit),
    }
