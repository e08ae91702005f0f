import test from 'ava'
import { setup } from 'xstate'
import { describeMachines, machinesDocument, mermaidOf } from './machines.js'
import { read } from './sources.js'

test('the drawn machines are those of the code: `npm run docs:machines` brings them up to date', (t) => {
  t.is(read(machinesDocument), describeMachines())
})

test('a diagram shows nested and parallel states, guards, and every event of an arrow', (t) => {
  const machine = setup({ guards: { empty: () => true } }).createMachine({
    id: 'door',
    type: 'parallel',
    states: {
      leaf: {
        initial: 'shut',
        states: {
          shut: { on: { push: 'open', pull: 'open', knock: { guard: 'empty', target: 'open' } } },
          open: {},
        },
      },
      lock: { initial: 'shut', states: { shut: {} } },
    },
  })
  t.is(
    mermaidOf(machine),
    [
      'stateDiagram-v2',
      '  state door {',
      '    state leaf {',
      '      [*] --> leaf_shut',
      '      state "shut" as leaf_shut',
      '      state "open" as leaf_open',
      '      leaf_shut --> leaf_open: push, pull, knock [empty]',
      '    }',
      '    --',
      '    state lock {',
      '      [*] --> lock_shut',
      '      state "shut" as lock_shut',
      '    }',
      '  }',
    ].join('\n'),
  )
})
