"""The objective: focal loss over smoothed and taught cross-entropy, and that cross-entropy on mixed fused features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxboost.data.batches import Materials
from jaxboost.models import Memory, Network, SymmetryTables
from jaxboost.models.batch import Array
from jaxboost.models.network import agreed
from jaxboost.models.recall import joined
from jaxboost.training.member import Hyperparameters
from jaxboost.training.memory import Drawn
from jaxboost.training.training_settings import TrainingSettings


def smoothed_targets(labels: jax.Array, classes: int, smoothing: jax.Array | float) -> jax.Array:
    """One-hot targets [b, class] with `smoothing` spread evenly over all classes (Szegedy et al. 2016, eq. 7)."""
    return jax.nn.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes


def taught_targets(targets: jax.Array, said: jax.Array, share: float) -> jax.Array:
    """Targets [b, class] of which `share` is what a teacher said [b, class]."""
    return (1 - share) * targets + share * said


def cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """[b] cross-entropy of logits [b, class] with target distributions [b, class]."""
    return -(targets * jax.nn.log_softmax(logits)).sum(-1)


def focal_loss(logits: jax.Array, labels: jax.Array, targets: jax.Array, *, gamma: float) -> jax.Array:
    """[b] `(1 - p_t)^gamma` times the cross-entropy with the targets [b, class], `p_t` the probability of the label.

    Lin et al., Focal Loss for Dense Object Detection (2017), eq. 4; the factor is differentiated too.
    """
    p_true = jnp.take_along_axis(jax.nn.softmax(logits), labels[:, None], -1)[:, 0]
    # Clamped, because the derivative of x^gamma at 0 is not finite for gamma below 1.
    return jnp.maximum(1 - p_true, 1e-6) ** gamma * cross_entropy(logits, targets)


def mixup_share(key: jax.Array, alpha: Array | float) -> jax.Array:
    """Share of the first crystal, Beta(alpha, alpha) (Zhang et al. 2018); 1 where alpha is 0."""
    safe = jnp.maximum(alpha, 1e-3)
    return jnp.where(alpha > 0, jax.random.beta(key, safe, safe), 1.0)


def mixed_cross_entropy(logits: jax.Array, first: jax.Array, second: jax.Array, share: jax.Array) -> jax.Array:
    """[b] cross-entropy with two targets [b, class] mixed `share : 1 - share`."""
    return cross_entropy(logits, share * first + (1 - share) * second)


def batch_loss(
    network: Network,
    settings: TrainingSettings,
    params: Any,
    batch: Any,
    rows: jax.Array,
    materials: Materials,
    hyper: Hyperparameters,
    tables: SymmetryTables,
    drawn: Drawn,
    said: jax.Array | None,
    key: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Mean loss and accuracy of one training batch; on a share of the batches fused features are mixed.

    `said` [b, class] is what the member's teacher says of the batch.

    The column reader has a loss of its own, of plain crystals: two opinions that were trained as one would lean on each
    other, and it is because they do not that their mean is better than either.

    What is recalled has a loss of its own. The crystals of the batch vote beside those drawn from the memory, since
    their embeddings alone move along: without them the space is worse (docs/results.md, Recall). Crystals of the same
    formula have no vote: those that the network will be asked about have none of theirs among the training crystals.
    """
    labels = materials.label[rows]
    targets = smoothed_targets(labels, network.settings.classes, settings.smoothing)
    if said is not None:
        targets = taught_targets(targets, said, settings.taught)
    keys = jax.random.split(key, 5)
    mix = jax.random.bernoulli(keys[0], settings.mixup_probability) & (hyper.mixup_alpha > 0)
    share = jnp.where(mix, mixup_share(keys[1], hyper.mixup_alpha), 1.0)
    partner = jax.random.permutation(keys[2], labels.shape[0])
    apply: Callable[..., Any] = network.apply
    rates = (hyper.dropout, hyper.column_dropout)
    fused, out = apply({"params": params}, batch, tables, *rates, method="fuse", rngs={"dropout": keys[3]})
    mixed = share.astype(fused.dtype) * fused + (1 - share).astype(fused.dtype) * fused[partner]
    # The mask is never mixed: a class stays possible where either crystal allows it.
    possible = batch.possible | (batch.possible[partner] & mix)
    logits = apply({"params": params}, mixed, possible, hyper.dropout, method="classify", rngs={"dropout": keys[4]})

    def loss_of(logits: jax.Array) -> jax.Array:
        plain = focal_loss(logits, labels, targets, gamma=settings.gamma)
        across = mixed_cross_entropy(logits, targets, targets[partner], share)
        return jnp.where(mix, across, plain).mean()

    loss = loss_of(logits)
    if network.settings.reader_width:
        read = apply({"params": params}, out["read"], batch.possible, method="penalised")
        loss += focal_loss(read, labels, targets, gamma=settings.gamma).mean()
        logits = agreed(logits, read)
    if network.settings.recall_width:
        present = Drawn(Memory(out["embedding"], labels, rows >= 0), rows)
        voters = jax.tree.map(lambda *parts: jnp.concatenate(parts), drawn, present)
        formula, theirs = materials.formula[rows], materials.formula[voters.rows]
        barred = (formula[:, None] == theirs) | ((formula[partner][:, None] == theirs) & mix)
        recalled = apply({"params": params}, mixed, possible, voters.memory, barred, method="recall_classes")
        loss += settings.recall_weight * loss_of(recalled)
        logits = joined(logits, recalled)
    return loss, (logits.argmax(-1) == labels).mean()
