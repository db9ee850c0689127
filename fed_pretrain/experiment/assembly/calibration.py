"""A trained model with a head retrained on virtual features of the clients' classes (CCVR)."""

from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.assembly.head_layer import BYTES_A_NUMBER, HeadLayer, class_sums
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes.subject import Calibration
from fed_pretrain.starts import closed_form
from fed_pretrain.tasks import feature_sums
from groundwork.errors import UserError

# What one client sums: a covariance for each class.
_MOST_NUMBERS = 1 << 27


class Calibrated:
    """Of any weights, by one pass over the training clients; `asked` is the flag, for refusals."""

    def __init__(self, assembly: Assembly, asked: str) -> None:
        algorithm = assembly.config.algorithm
        if algorithm.private or algorithm.secure_aggregation:
            raise UserError(
                f"{asked}: the clients' class means and covariances are exact and without a bound,"
                " which neither secure sums nor the run's privacy cover; of such a run no head can"
                " be calibrated"
            )
        self._layer = HeadLayer(
            assembly.start, assembly.task, assembly.executor, assembly.session, asked
        )
        self._classes, self._width = assembly.task.num_classes, self._layer.width
        self._strength = assembly.config.start.head_strength
        numbers = self._classes * self._width**2
        if numbers > _MOST_NUMBERS:
            raise UserError(
                f"{asked}: {self._classes} covariances of {self._width} features are"
                f" {8 * numbers / 1e9:,.1f} GB for every client, more than the"
                f" {8 * _MOST_NUMBERS / 1e9:.1f} GB that are allowed"
            )

    def __call__(self, weights: ModelArrays) -> Calibration:
        layer, classes, width = self._layer, self._classes, self._width
        computation = layer.computation(feature_sums.class_sums, feature_sums.BY_CLASS)
        total = class_sums(layer.total(computation, weights))
        values = layer.values(closed_form.calibrated(total, self._strength))
        clients = len(layer.clients)
        moment = feature_sums.SECOND_MOMENTS[feature_sums.BY_CLASS]
        sent = classes * (width + 1) + moment.numbers(classes, width)
        body = sum(value.nbytes for value in (*weights.trainable, *weights.non_trainable))
        return Calibration(
            values=values,
            weights=layer.exchanged(weights, values),
            clients=clients,
            bytes_down=clients * body,
            bytes_up=clients * sent * BYTES_A_NUMBER,
            strength=self._strength,
        )
