/** The rules that hold the code in shape, as tests: what no compiler, linter or import rule sees. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import type { Command } from 'commander'
import ts from 'typescript'
import { createProgram } from '../cli/program.js'
import { messageFields } from '../shared/protocol/messages.js'
import { filesBelow, isTest, read, repositoryRoot, sourceFiles } from './sources.js'

const linesMax = 400
/** A suite of tests tells one story after another; splitting it hides none of them. */
const testLinesMax = 600
/** Files that may be longer, each with its reason. */
const longFiles: Readonly<Record<string, string>> = {
  'shared/protocol/messages.ts': 'one closed union: the specification is read as a whole',
}

const protocolFolder = /^(manager|storage|client|shared\/(ring|data|protocol|runtime))\//
/** The edges of protocol code, which connect it to a real world. */
const edge = /(^|\/)main\.ts$|^client\/(index|admin|verify|scan)\.ts$/

function protocolFiles(): string[] {
  return sourceFiles().filter(
    (file) => protocolFolder.test(file) && !isTest(file) && !edge.test(file),
  )
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)
}

/** Visits every node of the syntax tree. */
function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

test('files hold one idea: none is longer than 400 lines without a reason', (t) => {
  const long = sourceFiles().filter((file) => {
    return read(file).split('\n').length - 1 > (isTest(file) ? testLinesMax : linesMax)
  })
  t.deepEqual(long, Object.keys(longFiles).sort())
})

test('every file of the product begins by saying what it is', (t) => {
  const silent = sourceFiles().filter(
    (file) => !isTest(file) && !/^((#!|\/\/\/).*\n)*\/\*\*/.test(read(file)),
  )
  t.deepEqual(silent, [])
})

test('protocol code runs to completion: no promise, no randomness of its own', (t) => {
  t.true(protocolFiles().length > 10)
  const found: string[] = []
  for (const file of protocolFiles()) {
    walk(parse(file), (node) => {
      const text = ts.isPropertyAccessExpression(node) ? node.getText() : ''
      const forbidden =
        ts.isAwaitExpression(node) ||
        node.kind === ts.SyntaxKind.AsyncKeyword ||
        text === 'Math.random' ||
        text === 'process.hrtime' ||
        text === 'globalThis.process'
      if (forbidden) found.push(`${file}: ${node.getText()}`)
    })
  }
  t.deepEqual(found, [])
})

interface DeclaredMessage {
  readonly name: string
  readonly kind: string
  readonly fields: readonly string[]
  readonly documented: boolean
}

/** The interfaces of the union, as messages.ts declares them. */
function declaredMessages(): DeclaredMessage[] {
  const source = parse('shared/protocol/messages.ts')
  const messages: DeclaredMessage[] = []
  for (const statement of source.statements) {
    if (!ts.isInterfaceDeclaration(statement)) continue
    const fields = statement.members.filter(ts.isPropertySignature)
    const kind = fields.find((field) => field.name.getText() === 'kind')?.type?.getText()
    if (kind === undefined) continue
    messages.push({
      name: statement.name.text,
      kind: kind.replaceAll("'", ''),
      fields: fields.map((field) => field.name.getText()).filter((name) => name !== 'kind'),
      documented: ts.getJSDocCommentsAndTags(statement).length > 0,
    })
  }
  return messages
}

test('every message is documented', (t) => {
  const silent = declaredMessages().filter((message) => !message.documented)
  t.deepEqual(silent, [])
})

test('every field of every message travels', (t) => {
  const declared = declaredMessages().map(({ kind, fields }) => [kind, [...fields].sort()])
  const sent = Object.entries(messageFields).map(([kind, [, , fields]]) => [
    kind,
    [...fields].sort(),
  ])
  t.deepEqual(Object.fromEntries(sent), Object.fromEntries(declared))
})

test('wire numbers are unique, message names are noun.verb', (t) => {
  const numbers = Object.values(messageFields).map(([number]) => number)
  t.is(new Set(numbers).size, numbers.length)
  for (const kind of Object.keys(messageFields)) t.regex(kind, /^[a-z]+(\.[a-z]+){0,2}$/)
})

test('every limit names its unit or what it counts, and gives its reason', (t) => {
  const source = parse('shared/runtime/limits.ts')
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue
    const name = statement.declarationList.declarations[0]?.name.getText() ?? ''
    t.regex(name, /(Ms|Bytes|Max|Default|Batches|Kept|Block|Count)/, name)
  }
})

test('nothing is left for later in the code', (t) => {
  const marks = new RegExp(['TO', 'DO|FIX', 'ME|XX', 'X\\b'].join(''))
  t.deepEqual(
    sourceFiles().filter((file) => marks.test(read(file))),
    [],
  )
})

test('decisions are numbered in order and say context, choice and cost', (t) => {
  const decisions = filesBelow('docs/decisions').sort()
  decisions.forEach((file, index) => {
    t.true(file.startsWith(`docs/decisions/${String(index + 1).padStart(3, '0')}-`), file)
    for (const section of ['## Context', '## Choice', '## Cost']) {
      t.true(read(file).includes(`\n${section}\n`), `${file}: ${section}`)
    }
  })
})

/** Markdown files a reader meets. */
function documents(): string[] {
  const top = ['README.md', 'CHANGELOG.md'].filter((file) => existsSync(join(repositoryRoot, file)))
  return [...top, ...filesBelow('docs').filter((file) => file.endsWith('.md'))]
}

test('links in the documents lead somewhere', (t) => {
  for (const document of documents()) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(target)) continue
      t.true(existsSync(join(repositoryRoot, dirname(document), target)), `${document}: ${target}`)
    }
  }
})

/** Every command with its options, subcommands included; those hidden from the help left out. */
function commandsOf(command: Command): Command[] {
  const subcommands = command.createHelp().visibleCommands(command)
  const named = subcommands.filter((subcommand) => subcommand.name() !== 'help')
  return [command, ...named.flatMap((subcommand) => commandsOf(subcommand))]
}

test('every command and every option is in the documents', (t) => {
  const text = documents().map(read).join('\n')
  const commands = commandsOf(createProgram())
  t.true(commands.length > 10)
  for (const command of commands) {
    const parent = command.parent?.name() ?? ''
    t.true(text.includes(`${parent} ${command.name()}`.trim()), `${parent} ${command.name()}`)
    for (const { long } of command.options) {
      t.true(long === '--version' || text.includes(long ?? ''), `${command.name()} ${long}`)
    }
  }
})

test('every npm script that the documents name exists', (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const document of documents()) {
    for (const [, script = ''] of read(document).matchAll(/npm run ([a-z:]+)/g)) {
      t.true(script in scripts, `${document}: npm run ${script}`)
    }
  }
})
