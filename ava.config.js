/**
 * Tests run on compiled output; each file in a process of its own. The simulator's seeds come first: they
 * take what processors the rest leaves idle, and so run beside everything else.
 */
const first = /sim\/run\.test\.js$/

export default {
  files: ['dist/**/*.test.js'],
  sortTestFiles: (a, b) => Number(first.test(b)) - Number(first.test(a)) || (a < b ? -1 : 1),
  workerThreads: false,
  concurrency: 3,
  timeout: '4m',
}
