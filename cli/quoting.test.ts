import test from 'ava'
import { inLine, quoted, visible } from './quoting.js'

test('what is plain stays as it is', (t) => {
  for (const text of ['', 'grüße', 'two words', 'a"b', 'a{b', 'back\\slash', '[1]']) {
    t.is(inLine(text), text)
    t.is(inLine(Buffer.from(text)), text)
  }
})

test('a text, the same text quoted, and bytes are told apart', (t) => {
  t.is(inLine(Buffer.from([0, 0xff, 1])), '{"base64":"AP8B"}')
  t.is(inLine('{"base64":"AP8B"}'), '"{\\"base64\\":\\"AP8B\\"}"')
  t.is(inLine('va\nlue'), '"va\\nlue"')
  t.is(inLine('"va\\nlue"'), '"\\"va\\\\nlue\\""')
})

test('nothing ends the line or reaches the terminal', (t) => {
  t.is(inLine('a\tb'), '"a\\tb"')
  t.is(inLine('\u001b[31m'), '"\\u001b[31m"')
  t.is(inLine('\u007f\u009b1m'), '"\\u007f\\u009b1m"')
  t.is(inLine('a\u2028b'), '"a\\u2028b"')
  t.is(quoted('\u009b'), '"\\u009b"')
  t.is(visible('a\r\nb \u001b[2J'), 'a\\r\\nb \\u001b[2J')
})

test('what was quoted can be read back as JSON', (t) => {
  const texts = Array.from({ length: 0x300 }, (_, code) => `"${String.fromCharCode(code)}`)
  for (const text of texts) t.is(JSON.parse(inLine(text)), text)
})
