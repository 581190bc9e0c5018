// Claims that a test checks, one printed line each.

const failures = [];

/** Prints the claim; a claim that does not hold makes the test fail in the end. */
export function check(claim, holds, detail = "") {
  console.log(`${holds ? "ok    " : "FAILED"} ${claim}${detail === "" ? "" : `  (${detail})`}`);
  if (!holds) failures.push(claim);
}

/** Exit code: 0 where all claims held. */
export const exitCode = () => (failures.length === 0 ? 0 : 1);

/** Runs the test in a claim of its own, so that an exception is told as all else is. */
export async function toItsEnd(test) {
  try {
    await test();
  } catch (error) {
    check("the test came to its end", false, error.stack ?? String(error));
  }
}
