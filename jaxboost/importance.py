"""How much worse a vote is on crystals that are given a part of another crystal: what it hears in each part."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxboost.evaluation import Ballot, cast_votes
from jaxboost.inference import PARTS, Scored, Scorer, Shuffle, TrainedMember
from jaxboost.reporting.metrics import log_losses, paired_difference

# Forward passes are cheap beside training, not free: as many shuffles as see this many crystals, and at most so many.
CRYSTALS, SHUFFLES = 500, 5


def permutation_importance(
    members: list[TrainedMember],
    ballot: Ballot,
    scorer: Scorer,
    rows: np.ndarray,
    labels: np.ndarray,
    formulas: np.ndarray,
) -> dict[str, Any]:
    """What the best candidate loses when a part of what it reads is dealt out anew among the crystals of a batch.

    The tokens of the modalities are shuffled, not the columns behind them: a token of another crystal is as whole as
    its own, while columns of one space group in another would be no crystal at all.

    Args:
      members: that can vote; ballot: how.
      scorer: of the table that `rows` [n] are rows of, those that no member was trained on.
      labels, formulas: [n] of the rows.

    Returns:
      `rows` (how many), `shuffles`, and by part (`shuffling.PARTS`) how much `log_loss` (nats a row) and `accuracy`
      grow, each with its standard error `log_loss_se` and `accuracy_se` over formulas.

    Source: Breiman, Machine Learning 45, 5 (2001), section 10; here between crystals of a batch.
    """
    voters = [member for member in members if member.name in ballot.voters[ballot.best]]
    shuffles = min(max(CRYSTALS // max(len(rows), 1), 1), SHUFFLES)

    def losses_and_hits(shuffle: Shuffle | None) -> np.ndarray:
        results: list[Scored] = scorer(voters, [rows] * len(voters), shuffle)
        scored = dict(zip((member.name for member in voters), results, strict=True))
        p = cast_votes(scored, ballot, ballot.best).probabilities
        return np.stack([log_losses(p, labels), p.argmax(1) == labels])

    whole = losses_and_hits(None)
    parts = {}
    for part in PARTS:
        apart = np.mean([losses_and_hits(Shuffle(part, seed)) for seed in range(shuffles)], axis=0)
        loss, loss_error = paired_difference(apart[0], whole[0], formulas)
        accuracy, accuracy_error = paired_difference(apart[1], whole[1], formulas)
        parts[part] = {
            "log_loss": loss,
            "log_loss_se": loss_error,
            "accuracy": accuracy,
            "accuracy_se": accuracy_error,
        }
    return {"rows": len(rows), "shuffles": shuffles, "parts": parts}
