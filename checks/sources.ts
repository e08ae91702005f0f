/** The project's own files, as the checks see them: paths are relative to the repository's root. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repositoryRoot = findRoot(fileURLToPath(new URL('.', import.meta.url)))

/** Compiled code may stand at any depth below the root: dist/checks, or another build directory. */
function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(join(from, '..'))
}

/** The folders that are compiled, from tsconfig.json. */
export function sourceFolders(): string[] {
  const { include } = JSON.parse(read('tsconfig.json')) as { include: string[] }
  return include.filter((folder) => existsSync(join(repositoryRoot, folder)))
}

/** Every TypeScript source, sorted. */
export function sourceFiles(): string[] {
  return sourceFolders()
    .flatMap((folder) => filesBelow(folder))
    .filter((file) => file.endsWith('.ts'))
    .sort()
}

/** Every file below a folder. */
export function filesBelow(folder: string): string[] {
  const entries = readdirSync(join(repositoryRoot, folder), {
    recursive: true,
    withFileTypes: true,
  })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      relative(repositoryRoot, join(entry.parentPath, entry.name)).replaceAll(sep, '/'),
    )
}

export function read(file: string): string {
  return readFileSync(join(repositoryRoot, file), 'utf8')
}

/** Tests, conformance suites and fixtures: not part of the product. */
export function isTest(file: string): boolean {
  return /\.(test|test-suite|fixture)\.ts$/.test(file)
}
