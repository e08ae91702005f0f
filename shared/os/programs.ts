/** The programs that the processes of a swarm run: the build bundles each (checks/bundle.ts). */
import { fileURLToPath } from 'node:url'

export function programOf(folder: 'manager' | 'storage'): string {
  return fileURLToPath(new URL(`../../programs/${folder}.js`, import.meta.url))
}
