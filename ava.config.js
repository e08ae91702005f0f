/** Tests run on compiled output; each file in a process of its own. */
export default {
  files: ['dist/**/*.test.js'],
  workerThreads: false,
  concurrency: 2,
  timeout: '4m',
}
