"""Training that is stopped in the middle of an epoch."""

from __future__ import annotations


class Interrupting:
    """Samples that raise in this epoch, after two batches."""

    def __init__(self, samples, error, epoch):
        self.samples, self.error, self.stop = samples, error, epoch
        self.interactions = samples.interactions

    def __len__(self):
        return len(self.samples)

    def batches(self, *arguments, shuffle, **options):
        for i, batch in enumerate(self.samples.batches(*arguments, shuffle=shuffle, **options)):
            if shuffle[1] == self.stop and i == 2:
                raise self.error
            yield batch
