"""A webhook that gets one POST request per batch, with the key in ``Idempotency-Key``.

The header is that of the IETF draft "The Idempotency-Key HTTP Header Field": a receiver that remembers keys answers a
repeated request without acting again.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from segmentation.activation.destination import Batch, Login
from segmentation.config import ActivationSettings
from segmentation.errors import DestinationRefused, DestinationUnreachable

logger = logging.getLogger(__name__)
# it would log every address, and with some receivers the address is the secret
logging.getLogger("httpx").setLevel(logging.WARNING)

# timeout, the same key still being worked on, too early, too many requests
_COME_BACK = (408, 409, 425, 429)


class Webhook:
    """An HTTP(S) address that takes batches as JSON; the request's form is in docs/ACTIVATION.md."""

    def __init__(self, name: str, url: str, settings: ActivationSettings, login: Login) -> None:
        self.name = name
        self.most_rows = settings.rows_per_request
        self._url = url
        self._settings = settings
        self._headers = {"Authorization": f"Bearer {login.secret}"} if login.secret else {}

    def send(self, batch: Batch) -> None:
        """Post the batch, again and again while the receiver asks for patience; see `Destination.send`."""
        waits = wait_exponential_jitter(initial=1, max=self._settings.longest_pause_s)

        def pause(state: RetryCallState) -> float:
            asked = getattr(state.outcome and state.outcome.exception(), "asked_pause_s", 0.0)
            return float(min(max(waits(state), asked), self._settings.longest_pause_s))

        tries = Retrying(
            retry=retry_if_exception_type(DestinationUnreachable),
            stop=stop_after_attempt(self._settings.attempts),
            wait=pause,
            reraise=True,
            before_sleep=self._tell,
        )
        tries(self._post, batch)

    def _post(self, batch: Batch) -> None:
        try:
            answer = httpx.post(
                self._url,
                json=_request(batch),
                headers=self._headers | {"Idempotency-Key": batch.key},
                timeout=self._settings.timeout_s,
            )
        except httpx.RequestError as error:
            # an address may hold a secret in its path: only the host is told
            reason = f"{type(error).__name__} at {urlsplit(self._url).hostname}"
            raise DestinationUnreachable(self.name, reason) from None
        if answer.is_success:
            return
        if answer.is_server_error or answer.status_code in _COME_BACK:
            unreachable = DestinationUnreachable(self.name, f"it answered {answer.status_code}")
            unreachable.asked_pause_s = _asked_pause_s(answer)
            raise unreachable
        raise DestinationRefused(self.name, f"it answered {answer.status_code}")

    def _tell(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        reason = failure.reason if isinstance(failure, DestinationUnreachable) else ""
        pause = state.next_action.sleep if state.next_action else 0
        logger.info(
            "Destination %s: %s; attempt %d follows in %.0f s.", self.name, reason, state.attempt_number + 1, pause
        )


def _request(batch: Batch) -> dict[str, Any]:
    return {
        "campaign_id": batch.campaign_id,
        "campaign": batch.campaign,
        "event": batch.event,
        "as_of": batch.as_of.isoformat(),
        "customers": [{"customer_id": r.customer_id, "action": r.action, "number": r.number} for r in batch.recipients],
    }


def _asked_pause_s(answer: httpx.Response) -> float:
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else 0.0
