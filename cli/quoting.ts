/**
 * What users store, among our own words: a key, a value or a field of a log may hold what ends a line, has
 * a terminal do something, or looks like something else.
 */
import { asJson } from './output.js'

/** Control characters, and what else ends a line. */
const controls = '[\\p{Cc}\\p{Zl}\\p{Zp}]'
const control = new RegExp(controls, 'gu')
/** Would not stay in its line and column, or could be taken for what is quoted. */
const needsQuotes = new RegExp(`^["{]|${controls}`, 'u')

/** As it is where that is plain; else as in JSON: text in quotes, bytes that are no text in an object. */
export function inLine(data: string | Uint8Array): string {
  const shown = typeof data === 'string' ? data : asJson(data)
  return typeof shown === 'string' && !needsQuotes.test(shown) ? shown : quoted(shown)
}

/** As JSON that shows every control character: it would leave DEL and those above as they are. */
export function quoted(shown: string | { readonly base64: string }): string {
  return visible(JSON.stringify(shown))
}

/** One line, with control characters as JSON writes them. */
export function visible(text: string): string {
  return text.replace(control, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1)
    if (escaped !== character) return escaped
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
