// SPDX-License-Identifier: LGPL-2.1-or-later
// index.mjs: the same instance for `import`.
export * from './index.cjs'
