// SPDX-License-Identifier: LGPL-2.1-or-later
export default { test: { include: ['*.vitest.mjs'] } }
