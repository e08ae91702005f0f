/** `gtstore get KEY --explain`: how the answer came about. */
import type { Explanation } from '../client/index.js'
import { exitCodes } from './errors.js'
import type { Context } from './options.js'
import { asJson, formatTable, paint } from './output.js'
import { inLine } from './quoting.js'

/** Exit code 0 also where there is no value: that is what was to be explained. */
export async function explain(
  { output }: Context,
  key: string,
  explanation: Explanation<Buffer>,
): Promise<number> {
  const { values } = explanation
  const text = output.json ? '' : await describe(key, explanation)
  output.result({ key, ...explanation, values: values.map(asJson) }, () => text)
  return exitCodes.ok
}

async function describe(key: string, explanation: Explanation<Buffer>): Promise<string> {
  const { mode, epoch, token, path, quorums, refusal, reasons } = explanation
  const { n, r, w } = quorums
  const columns = ['owner', 'role', 'state', 'version', 'counted', 'took']
  return [
    `key      ${inLine(key)}`,
    `token    ${token}`,
    `ring     epoch ${epoch}, N=${n} R=${r} W=${w}, mode ${mode}`,
    `path     ${path.join(' -> ')}`,
    `answer   ${refusal === null ? answerOf(explanation) : `none: ${refusal}`}`,
    ...reasons.map((reason) => `because  ${reason}`),
    await formatTable(columns, explanation.owners.map(ownerRow)),
  ].join('\n')
}

function answerOf({ version, values }: Explanation<Buffer>): string {
  if (version === null) return 'the key is missing'
  const count = values.length === 1 ? '' : `, ${values.length} values`
  return `version ${version}${count}`
}

function ownerRow(owner: Explanation<Buffer>['owners'][number]): string[] {
  const { node, role, state, version, isDeleted, counted, tookMicros } = owner
  return [
    node,
    role,
    state === 'current' ? state : paint(process.stdout, 'yellow', state),
    `${version ?? '-'}${isDeleted ? ' (deleted)' : ''}`,
    counted ? 'yes' : 'no',
    tookMicros === null ? '-' : `${(tookMicros / 1000).toFixed(1)} ms`,
  ]
}
