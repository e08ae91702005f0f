/** Every limit of the product, with its unit in its name and the reason for its size. */

/** Longest key. Keys are indexed in memory in places; 1 KiB is far above what names need. */
export const keyBytesMax = 1024
/** Largest value by default (configurable per swarm). */
export const valueBytesMaxDefault = 8 * 1024 * 1024
/** What a frame may hold beyond its value: key, version and the envelope. */
export const frameOverheadBytes = 64 * 1024
/** Bytes queued for one peer before it is refused (nodes) or cut off (clients). */
export const peerQueueBytesMax = 64 * 1024 * 1024
/** Idle connections a process accepts before it refuses more. */
export const connectionsMax = 4096
/** A connection that has not said hello within this time is closed. */
export const helloTimeoutMs = 5_000

/** A value older than this on its way between processes is refused (design: nothing old floats in). */
export const maxFlightMs = 60_000
/** Deadline of a client call by default. */
export const callTimeoutMs = 5_000
/** How often in-flight requests are checked against their deadlines. */
export const sweepIntervalMs = 20
/** A get asks a further owner when one has not answered for this long. */
export const readHedgeMs = 100
/** A peer whose connection closed is asked last for this long, unless it connects again. */
export const peerRetryMs = 100
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
/** Requests a node coordinates or forwards at once; more are refused as overloaded. */
export const nodeInFlightMax = 65_536
/** Bytes of values that the gets in flight at a node have read; past it more are refused. */
export const readBytesMax = 128 * 1024 * 1024

/** Bytes of one handoff batch, and how many batches a gainer asks for at once. */
export const handoffBatchBytes = 256 * 1024
export const handoffWindowBatches = 4
/** A handoff batch that has not come after this long is asked for again. */
export const handoffRetryMs = 2_000

/** Ring files kept: a process that slept sees its own epoch gone long before reuse. */
export const ringFilesKept = 8
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
/** `status` shows what the nodes have answered by then; a paused one must not hold it up. */
export const statusWaitMs = 500
/** A stopping manager waits this long for the nodes, which flush their stores, to go first. */
export const stopWaitMs = 3_000
/** Finished membership changes that the manager still answers for. */
export const ticketsKept = 100

/** A manager that has not answered a client for this long is passed over: the ring file is read. */
export const managerAnswerMs = 1_000
/**
 * A client whose node is silent asks a further one when this part of the call's time has passed (one
 * over the count), but not before the minimum.
 */
export const attemptsCount = 3
export const attemptMinMs = 250
/**
 * Calls that wait for a place among those in flight; more are refused as overloaded. As many take about
 * the default timeout to work off.
 */
export const clientWaitingMax = 262_144
