"""The classes of `client.runs`, `client.steps` and what they refer to, sync and async, for annotations.

Every method takes three options for that call alone; left out, they are the client's:

    timeout_sec      seconds that one attempt may take, from connecting to the body's last byte; 0 or None: no limit
    deadline_sec     seconds that the whole call may take, with its attempts, waits and pages; 0 or None: no limit
    max_retry_count  further attempts after a 429 or a 5xx answer, 0 to 100

Every method raises ValueError or TypeError for a bad argument before any request, and `facade.APIError` where a
request gave no answer to use. In a walk these come from the iteration, after all that was read before.
"""

from facade._async.resources import AsyncAssistants, AsyncMessages, AsyncRuns, AsyncSteps, AsyncThreads
from facade._sync.resources import Assistants, Messages, Runs, Steps, Threads

__all__ = ["Assistants", "Messages", "Runs", "Steps", "Threads"]
__all__ += ["AsyncAssistants", "AsyncMessages", "AsyncRuns", "AsyncSteps", "AsyncThreads"]
