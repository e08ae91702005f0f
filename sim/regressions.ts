/**
 * Seeds that once failed because of a mistake in the product, each with the mistake. What a seed means
 * changes whenever the simulator learns something new: such a list only guards what is near.
 */
export interface Regression {
  readonly seed: number
  readonly why: string
}

export const regressions: readonly Regression[] = [
  { seed: 4, why: 'a node that had left kept its hints, for it heard of no newer ring' },
  { seed: 52, why: 'a hint that came while others were handed over was forgotten' },
  { seed: 246, why: 'a node that returned after its place was taken waited for ever' },
]
