/** A bar on stderr for what takes long; without a terminal, nothing: scripts read the outcome. */
export interface Progress {
  /** `total` 0: not known yet. */
  update(done: number, total: number, text: string): void
  stop(): void
}

export async function openProgress(): Promise<Progress> {
  if (!process.stderr.isTTY) return { update: () => {}, stop: () => {} }
  const { SingleBar } = await import('cli-progress')
  const bar = new SingleBar({
    format: '{bar} {percentage}% {text}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    stream: process.stderr,
  })
  let started = false
  return {
    update: (done, total, text) => {
      if (!started) bar.start(Math.max(1, total), done, { text })
      started = true
      bar.setTotal(Math.max(1, total))
      bar.update(done, { text })
    },
    stop: () => {
      if (started) bar.stop()
      started = false
    },
  }
}
