/** Exit codes of processes that others start and must tell apart; 0 is a good end, 1 any other. */

/** A manager found the journal open in another process, which is the manager then. */
export const journalHeldExitCode = 8

/** A node that a command took out of the swarm is not to be started again. */
export const dismissedExitCode = 9
