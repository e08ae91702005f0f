/** Waiting times of the command, with the reason for each. */

/** A start that took longer is reported as it stands; a slow machine needs a few seconds. */
export const startTimeoutMs = 30_000
/** How often a starting swarm, or a change, is asked how far it is. */
export const startPollMs = 20
export const changePollMs = 100
/** How often a progress bar is brought up to date. */
export const progressMs = 100
/** A change that waits for the same reason for this long says so. */
export const tellReasonMs = 2_000
/** Pause before the supervisor asks again for a manager that is not there (yet). */
export const registerRetryMs = 20
/** How long `down` waits for what was asked before it goes on to the next, harder means. */
export const askManagerMs = 3_000
export const askNodesMs = 1_000
/** The nodes that the manager knows are mostly gone by then; who is left is asked directly. */
export const knownNodesMs = 1_000
export const stopGraceMs = 5_000
export const killMs = 5_000
/** From its goodbye to its end a process needs some milliseconds. */
export const endMs = 500
/** A second signal within this time is the first one's echo: npm passes Ctrl-C on once more. */
export const hurryAfterMs = 1_000
/** How often processes that are no children of ours are looked at. */
export const watchProcessesMs = 20
export const watchAdoptedMs = 500
/** A crashed process is started again after this pause, doubled up to the maximum ... */
export const restartPauseMs = 100
export const restartPauseMaxMs = 5_000
/** ... and from the least again once it has lived this long. */
export const restartForgetMs = 10_000
/** So many crashes of one process while the swarm starts make the start fail. */
export const startCrashesMax = 3
/** Lines of a log shown when a start fails. */
export const logTailLines = 12
/** The file that catches what processes print past their logs is begun anew at this size. */
export const printedBytesMax = 10 * 1024 * 1024
/** A swarm is not started on a disk with less room: new logs of LevelDB would fail at once. */
export const startBytesLeast = 1024 * 1024
/** Free space below this is reported by `doctor`. */
export const freeBytesLeast = 1024 * 1024 * 1024
/** How many keys `delete --all` deletes at once. */
export const deletesInFlight = 64
/** How long a process may take to end after SIGKILL, or to be seen paused. */
export const signalMs = 5_000
/** A node that was started again serves within this time, unless its store is large. */
export const restartMs = 15_000
/** One that said why it ended and is not back after so long is not waited for. */
export const saidEnoughMs = 1_000
/** How often nodes are asked how far their repair is, and `--watch` shows transfers. */
export const repairPollMs = 100
/** What was skipped because a node had only just come back is compared after this pause, so often. */
export const repairRetryMs = 1_000
export const repairTriesMax = 3
export const watchPeriodMs = 1_000
/** Pause before `verify --wait` looks at everything again. */
export const verifyPauseMs = 500
