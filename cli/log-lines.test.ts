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

test('what is no JSON, or no log line, is shown as it is, in its place', (t) => {
  for (const text of ['Error: out of paper', '{"half', '{"time":"never","msg":"x"}']) {
    const line = parseLine('n3', text, Date.parse(at))
    t.is(line.text, text)
    t.is(describeLine(line), `03:04:05.678 n3         ${text}`)
  }
})
