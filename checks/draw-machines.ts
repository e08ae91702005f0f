/** `npm run docs:machines`: writes the document that shows both state machines. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeMachines, machinesDocument } from './machines.js'
import { repositoryRoot } from './sources.js'

writeFileSync(join(repositoryRoot, machinesDocument), describeMachines())
console.log(machinesDocument)
