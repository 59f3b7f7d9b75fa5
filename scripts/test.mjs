/** All tests, or what the arguments say to vitest; the last line is `N passed, N failed`. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { bootstrap, installTools, node, root } from './bootstrap.mjs';

bootstrap();
installTools();
const directory = mkdtempSync(path.join(tmpdir(), 'cluster-test-'));
const file = path.join(directory, 'results.json');
const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
const code = node([
  vitest,
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${file}`,
  ...process.argv.slice(2),
]);

function count() {
  try {
    const results = JSON.parse(readFileSync(file, 'utf8'));
    // A file that could not even be loaded has no failed test in it.
    const broken = results.testResults.filter(
      (/** @type {{ status: string, assertionResults: { status: string }[] }} */ suite) =>
        suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed'),
    ).length;
    return {
      passed: results.numPassedTests,
      failed: results.numFailedTests + broken,
      skipped: results.numPendingTests + results.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const { passed, failed, skipped } = count();
rmSync(directory, { recursive: true, force: true });
// Vitest also fails for what no test owns, such as an unhandled rejection.
const unowned = code !== 0 && failed === 0 ? 1 : 0;
const line = `${passed} passed, ${failed + unowned} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
process.stdout.write(`\n${line}\n`);
process.exitCode = code !== 0 ? code : failed > 0 ? 1 : 0;
