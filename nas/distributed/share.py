"""How the images of a batch are shared out among the processes of a run."""

from typing import NamedTuple


class Share(NamedTuple):
    """What one process takes: the `rank`-th of `size` parts of every batch.

    All processes draw the same random numbers for the whole batch, so that the batch, and what is
    done to its images, does not depend on how many share it.
    """

    rank: int = 0
    size: int = 1

    def of(self, num: int) -> slice:
        """Return the part of a batch of `num` images: every image is in exactly one part."""
        return slice(num * self.rank // self.size, num * (self.rank + 1) // self.size)

    def num_used(self, num_images: int, batch_size: int, even: bool) -> int:
        """Return how many images of an epoch are handed out.

        Args:
            num_images: N.
            batch_size: Over all processes.
            even: For training, where all parts of a batch must be of one size, up to size - 1
                images at the end of an epoch's order are left out; measuring uses all.

        Deviation: one process trains on all images of every epoch; several leave out these.
        """
        left_out = num_images % batch_size % self.size if even else 0
        return num_images - left_out


WHOLE = Share()
