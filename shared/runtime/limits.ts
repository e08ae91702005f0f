/** Every limit of the product, with its unit in its name and the reason for its size. */

/** Longest key. Keys are indexed in memory in places; 1 KiB is far above what names need. */
export const keyBytesMax = 1024
/** Largest value by default (configurable per swarm). */
export const valueBytesMaxDefault = 8 * 1024 * 1024
/**
 * Values of the largest size that a frame may hold: siblings travel together, and each owner may have let
 * in as many as it may (siblingValuesMax) before it heard of those of the others.
 */
export const frameValuesMax = 8
/** What a frame may hold beyond its values: key, version and the envelope. */
export const frameOverheadBytes = 64 * 1024
/** Bytes queued for one peer before it is refused (nodes) or cut off (clients). */
export const peerQueueBytesMax = 64 * 1024 * 1024
/** Idle connections a process accepts before it refuses more. */
export const connectionsMax = 4096
/** A connection that has not said hello within this time is closed. */
export const helloTimeoutMs = 5_000

/** A value older than this on its way between processes is refused (design: nothing old floats in). */
export const maxFlightMs = 60_000
/**
 * Siblings that a put may leave of a key, and how many times the largest value they may have together.
 * Who puts with the context of a get leaves one; as many as this means that nobody does.
 */
export const siblingsMax = 64
export const siblingValuesMax = 2
/** Deadline of a client call by default. */
export const callTimeoutMs = 5_000
/** How often in-flight requests are checked against their deadlines. */
export const sweepIntervalMs = 20

/**
 * Whoever works on a request says at its deadline what is missing: so long after it the forwarder, and
 * then the client, still wait for that word.
 */
export const forwarderLastWordMs = 2 * sweepIntervalMs
export const clientLastWordMs = 5 * sweepIntervalMs
/** A get asks a further owner when one has not answered for this long. */
export const readHedgeMs = 100
/** A peer whose connection closed is asked last for this long, unless it connects again. */
export const peerRetryMs = 100
/** How long owners may take to say what they hold, when a get is explained: a paused one never does. */
export const explainPatienceMs = 1_000
/** Pause before a request goes out again under a ring that a peer has not adopted yet. */
export const staleRetryMs = 5
/** Messages of a ring that is still being adopted (its ranges wiped); more count as lost. */
export const heldMessagesMax = 10_000
/** A node that left goes on forwarding for so long to whoever has not moved yet. */
export const leaveLingerMs = 100
/** Pause before a client tries a call again, doubled up to the maximum. */
export const retryPauseMs = 5
export const retryPauseMaxMs = 200
/** How long a client repeats a call that found too few owners reachable. */
export const unavailableRetryMs = 2_000
/** Pause between attempts to reach the manager. */
export const managerRetryMs = 200
/** Pause before a node that the manager refused asks again: somebody must mend something first. */
export const refusedRetryMs = 2_000
/** Requests a client keeps in flight; later calls wait their turn. */
export const clientInFlightMax = 4_096
/**
 * Writes of one key in a chain that a client keeps in flight, a sixteenth of chainRequestsMax: so many
 * clients may write it at once. More in flight would not make them faster.
 */
export const clientKeyWritesMax = 16
/** Requests a node coordinates or forwards at once; more are refused as overloaded. */
export const nodeInFlightMax = 65_536
/** Bytes of values that the gets in flight at a node have read; past it more are refused. */
export const readBytesMax = 128 * 1024 * 1024

/** Bytes of one handoff batch, and how many batches a gainer asks for at once. */
export const handoffBatchBytes = 256 * 1024
export const handoffWindowBatches = 4
/** A handoff batch that has not come after this long is asked for again. */
export const handoffRetryMs = 2_000
/** However often it came late: what was lost on the way is no sign of a slow source. */
export const handoffRetryMaxMs = 16_000

/** Ring files kept: a process that slept sees its own epoch gone long before reuse. */
export const ringFilesKept = 8
/**
 * A manager that starts on a journal longer than this writes what it amounts to as one step: some years
 * of rings and restarts, and still read in a moment.
 */
export const journalStepsMax = 2_000
/** Client ids granted per journal entry, so that registering a client costs no fsync. */
export const clientIdBlock = 1_000
/** Joins that arrive within this time are planned as one change. */
export const joinBatchMs = 25
/**
 * The first ring waits this long after the last join for the nodes that the supervisor announced:
 * processes start within some 300 ms of one another even on two starved cores.
 */
export const foundingQuietMs = 500
/** How often the manager looks whether a process that lost its connection still lives. */
export const livenessCheckMs = 100
/** A supervisor restarts a crashed node by itself within this time; later the manager asks for it. */
export const revivalPauseMs = 2_000
/** `status` shows what the nodes have answered by then; a paused one must not hold it up. */
export const statusWaitMs = 500
/** A stopping manager waits this long for the nodes, which flush their stores, to go first. */
export const stopWaitMs = 3_000
/** Finished membership changes that the manager still answers for. */
export const ticketsKept = 100

/**
 * A manager that has not answered a client for this long is passed over: nodes are asked. The last of
 * them gets as much time.
 */
export const managerAnswerMs = 1_000
/** A node that has not registered a client for this long is not waited for: a further one is asked. */
export const nodeAnswerMs = 250
/**
 * A client whose node has not answered a call asks a further one when this part of the call's time has
 * passed (one over the count), at most so often by the rule below.
 */
export const attemptsCount = 3
/**
 * A node that has answered nothing at all for this long while it was asked is passed over at once: a
 * paused process keeps its connections open.
 */
export const silentNodeMs = 250
/**
 * Calls that wait for a place among those in flight; more are refused as overloaded. As many take about
 * the default timeout to work off.
 */
export const clientWaitingMax = 262_144

/** How often a node pings another one, and the manager every node. */
export const gossipPeriodMs = 1_000
/** A ping without an answer after this long is tried through others. */
export const gossipAnswerMs = 500
/** So many others are asked to probe a node that does not answer. */
export const gossipHelpersCount = 3
/** Rumors that travel with one ping or acknowledgement. */
export const gossipRumorsMax = 16
/**
 * A node that is suspected for so long without a refutation counts as not answering. Two starved cores
 * hold a live process up for hundreds of milliseconds, not for seconds.
 */
export const suspicionMs = 5_000
/**
 * Once all full members of a chain were down, the first ones that come back wait so long for the others
 * before these are dropped: after a restart of the swarm nothing has to be copied again.
 */
export const chainReturnMs = 5_000
/** A process that was itself held up for longer than this judges nobody in that period. */
export const ownLagMaxMs = 250
/** A node that is down for so long is taken out of the ring, and its ranges copied, by default. */
export const evictAfterMsDefault = 30_000
/** A request that a node did not answer for this long goes to another owner too. */
export const peerPatienceMs = 200
/** A peer that owed an answer for so long is asked last for this long. */
export const peerLateMs = 1_000
/** How often a node says again what the manager has not confirmed, doubled up to the maximum. */
export const managerRepeatMs = 1_000
export const managerRepeatMaxMs = 8_000

/** Bytes of hints that one node keeps for others; past it they are refused (repair finds the rest). */
export const hintBytesMax = 256 * 1024 * 1024
/** How often a node looks whether its hints can be delivered. */
export const hintDrainMs = 1_000
/** Between two pages of hints requests go first. */
export const hintPauseMs = 1
/** How often the owners of a range compare what they hold. */
export const repairPeriodMs = 60_000
/** Leaves of a Merkle tree over one range, and the bytes of each hash. */
export const merkleLeavesMax = 1_024
export const merkleHashBytes = 8
/** A leaf with more entries than this is compared again in finer leaves before entries travel. */
export const merkleLeafKeysMax = 4
/** Pause after each page that repair reads, so that requests go first. */
export const repairPauseMs = 2
/** A peer that has not answered repair for this long is passed over: it hashes a range in seconds. */
export const repairAnswerMs = 30_000
/** About how long after its return a node compares everything it holds. */
export const repairReturnedMs = 2_000
/** How often a first owner looks for tombstones that may go. */
export const collectPeriodMs = 30_000
/** Tombstones that one message names. */
export const tombstoneMarksMax = 1_000
/** Tombstones on their way out that a first owner keeps in mind at once; others wait for their turn. */
export const tombstonesAtOnceMax = 100_000

/** Client ids that the manager grants a node at once. */
export const nodeClientIdBlock = 1_000
/** A store with less room than the smaller of these takes no more writes: bytes, share of the disk. */
export const diskReserveBytes = 64 * 1024 * 1024
export const diskReserveShareMax = 0.05
export const diskCheckMs = 250
/** A standby takes over from a manager that is dead, or has not answered for this long. */
export const standbyPatienceMs = 5_000

/** A chain tries a link that broke again after this long. */
export const chainRetryMs = 100
/** What has not been committed for so long goes down its chain once more: an acknowledgement was lost. */
export const chainRepeatMs = 5_000
/** Keys that are read at once to be sent down a chain again. */
export const chainResendKeysMax = 64
/** How often requests past their deadlines are cleared up, and how many keys at once: 20,000 a second. */
export const chainPurgeMs = 100
export const chainPurgeKeysMax = 2_000
/** A key that is still written is cleared up once so many of its requests are known to be committed. */
export const chainPurgeRequestsMax = 64
/**
 * Requests that stand beside one key until their deadlines have passed; of more the oldest are forgotten.
 * They are written with each write of the key, and travel with it beyond its value (frameOverheadBytes).
 */
export const chainRequestsMax = 256
/** Keys whose requests one node follows, some 100 MB; a head refuses more. */
export const chainFollowedMax = 262_144
