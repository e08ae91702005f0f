import test from 'ava'
import { describeLine, logName, parseLine } from './log-lines.js'

const at = '2026-01-02T03:04:05.678Z'

test('a log is named after its process, rotated or not', (t) => {
  t.is(logName('/data/logs/n12.log'), 'n12')
  t.is(logName('n12.log.2'), 'n12')
  t.is(logName('n3.txt'), 'n3')
  t.is(logName('n12.json'), '')
})

test('a line of JSON becomes a sentence with its fields', (t) => {
  const text = JSON.stringify({
    level: 40,
    time: at,
    pid: 1,
    name: 'n1',
    msg: 'slow',
    ms: 7,
    to: 'n2',
  })
  const line = parseLine('n1', text, 0)
  t.is(line.time, Date.parse(at))
  t.is(describeLine(line), '03:04:05.678 n1         WARN slow  ms=7 to=n2')
})

test('a field that a user has chosen does not look like another line', (t) => {
  const key = 'k\n03:04:05.678 n1         put succeeded\u001b[31m'
  const text = JSON.stringify({ level: 30, time: at, name: 'n1', msg: 'put failed', key })
  const shown = describeLine(parseLine('n1', text, 0))
  t.is(shown, `03:04:05.678 n1         put failed  key=${JSON.stringify(key)}`)
  const printed = describeLine(parseLine('n1', 'died of \u001b[2J\u009b', Date.parse(at)))
  t.is(printed, '03:04:05.678 n1         died of \\u001b[2J\\u009b')
})

test('what is no JSON, or no log line, is shown as it is, in its place', (t) => {
  for (const text of ['Error: out of paper', '{"half', '{"time":"never","msg":"x"}']) {
    const line = parseLine('n3', text, Date.parse(at))
    t.is(line.text, text)
    t.is(describeLine(line), `03:04:05.678 n3         ${text}`)
  }
})
