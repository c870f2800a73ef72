import { defineConfig } from 'vitest/config'

/** Tests sit beside the code. Peers tests use real programs; where one is missing they are skipped with the line that installs it. */
export default defineConfig({
  test: {
    include: ['{hub,plugins,flows,ui,infra}/**/*.test.{ts,tsx}'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 30_000,
    teardownTimeout: 5_000,
    maxWorkers: 2,
  },
})
