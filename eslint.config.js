// The rules of the house: types, and the import law of docs/architecture.md, one block per folder.
import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import hooks from 'eslint-plugin-react-hooks'
import ts from 'typescript-eslint'

/** Only what a folder may import; everything else is an error that says so. */
const only = (message, ...allowed) => ({
  '@typescript-eslint/no-restricted-imports': [
    'error',
    { patterns: [{ regex: `^(?!(?:${allowed.join('|')})$)`, message }] },
  ],
})
const never = (message, ...forbidden) => ({
  '@typescript-eslint/no-restricted-imports': ['error', { patterns: [{ regex: forbidden.join('|'), message }] }],
})
const tests = ['**/*.test.ts', '**/*.test.tsx', '**/*.bench.ts']

export default ts.config(
  { ignores: ['node_modules', '**/dist', 'data', 'coverage', 'ui/public', 'infra/templates', '**/fixtures/**'] },
  js.configs.recommended,
  { files: ['**/*.js'], languageOptions: { globals: { process: 'readonly' } } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [ts.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // Parts are plain objects of closures: their functions may be passed on.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.object.name='vi'][callee.property.name='mock']",
          message: 'Fake the peer, not the module.',
        },
        {
          selector: "MemberExpression[object.name='process'][property.name='env']",
          message: 'process.env occurs in hub/config.ts only.',
        },
        { selector: 'TSEnumDeclaration', message: 'Node runs these files as they are: no enums.' },
      ],
    },
  },
  { files: ['hub/config.ts', 'infra/**', ...tests], rules: { 'no-restricted-syntax': 'off' } },
  {
    files: ['infra/**', '**/*.bench.ts', 'hub/main.ts', 'hub/health/doctor.ts', 'hub/gate/cli.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: tests,
    rules: {
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  // The import law.
  {
    files: ['flows/*.ts'],
    ignores: tests,
    rules: {
      ...only("A flow imports 'rxjs' and '#hub', nothing else.", 'rxjs', 'rxjs/.*', '#hub'),
      'no-restricted-globals': [
        'error',
        { name: 'Date', message: 'A flow has no clock of its own: use timer, timestamp, seconds(10).' },
        { name: 'Promise', message: 'Slow work is a request and an answer topic.' },
        { name: 'performance', message: 'A flow has no clock of its own.' },
        { name: 'setTimeout', message: 'Use timer or delay.' },
        { name: 'setInterval', message: 'Use interval.' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='Math'][property.name='random']",
          message: 'A flow gives the same answer each time it is replayed.',
        },
        { selector: ':function[async=true]', message: 'Slow work is a request and an answer topic.' },
        { selector: 'AwaitExpression', message: 'Slow work is a request and an answer topic.' },
      ],
    },
  },
  {
    files: ['flows/*.test.ts'],
    rules: only(
      'A test of a flow imports the flow, vitest, #hub and #hub/testing.',
      'vitest',
      'fast-check',
      'rxjs',
      '#hub',
      '#hub/testing',
      '\\./.*',
    ),
  },
  {
    files: ['plugins/**/*.ts'],
    ignores: tests,
    rules: never(
      "A plugin imports '#hub/plugin', npm packages, node:* and its own folder.",
      '^\\.\\./',
      '^#hub$',
      '^#hub/testing$',
    ),
  },
  { files: ['plugins/*/topics.ts'], rules: only("A plugin's topics.ts imports zod and '#hub'.", 'zod', '#hub') },
  {
    files: ['hub/**/*.ts'],
    ignores: tests,
    rules: never(
      'The hub knows no plugin, flow or page: it discovers them.',
      '/plugins/(?!(?:plugin|host|discover|quality|routes|supervise|.*view)[\\w-]*\\.ts$)[^/]+/',
      '\\.\\./flows/',
      '\\.\\./ui/',
      '\\.\\./\\.\\./(?:plugins|flows|ui)/',
    ),
  },
  {
    files: ['hub/streams/*.ts'],
    ignores: tests,
    rules: only(
      "'#hub' is free of node: rxjs and the streams folder only.",
      'rxjs',
      '\\./[\\w-]+\\.ts',
      '\\.\\./topics/(?:core|row)\\.ts',
    ),
  },
  {
    files: ['hub/topics/*.ts'],
    ignores: tests,
    rules: only('The topic tables know zod and nothing else.', 'zod', '\\./[\\w-]+\\.ts', '#hub'),
  },
  {
    files: ['ui/**/*.ts', 'ui/**/*.tsx'],
    ignores: [...tests, 'ui/testing/**', 'ui/vite.config.ts'],
    extends: [hooks.configs.flat.recommended],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '/(?:hub|plugins|flows|infra)/(?!topics/)|^#hub|^node:',
              message: 'The app imports only ui, and types made from the topic tables.',
            },
          ],
        },
      ],
    },
  },
  prettier,
)
