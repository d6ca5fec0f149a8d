"""Labels that can be told to be wrong are replaced by the right ones: a control, since it takes all real labels.

Classifiers of all training images judge, each image by one that has not seen the training image that it is nearest to
(``label_classifiers``). They err too, so a label is only changed where it is less probable than a guess: then the image
gets the most probable one.
"""

from __future__ import annotations

import numpy as np

from synaug_ray.data.images import ImageSet
from synaug_ray.quality.label_classifiers import LabelClassifiers


def relabelled(images: ImageSet, judges: LabelClassifiers) -> ImageSet:
    """The same images; those whose label has a probability below 1 / classes get the most probable class."""
    log_p = judges.log_probabilities(images)
    wrong = log_p[np.arange(len(images)), images.labels] < -np.log(log_p.shape[1])
    return ImageSet(images.images, np.where(wrong, log_p.argmax(1), images.labels))
