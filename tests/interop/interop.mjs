// What the peers of the table share that are written in JavaScript; see interop.py.

import { fail } from './support.mjs';

export const cellSizes = [0, 1, 125, 126, 65535, 65536, 1024 * 1024, 16 * 1024 * 1024];
export const closeCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999];

export const print = (line) => console.log(JSON.stringify(line));

/// Runs the checks of one cell and prints it. A failure ends the program.
export async function cell(name, check, more = {}) {
  await check();
  print({ cell: name, ...more });
}

export function expectAgreement(extensions, deflate) {
  const agreed = extensions.includes('permessage-deflate');
  if (agreed !== deflate) fail(`permessage-deflate is ${agreed ? 'agreed unasked' : 'declined'}`);
}

/// `data` in four pieces, of which some may be empty.
export function pieces(data) {
  return [0, 1, 2, 3].map((i) =>
    data.subarray(Math.floor((data.length * i) / 4), Math.floor((data.length * (i + 1)) / 4)));
}
