const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const safe = (text) => text.replace(/[&<>"]/g, (char) => ENTITIES[char]);

/** The page for people: the container id and the application version in large letters. */
export function page({ version, container }, healthy) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Demo application ${safe(version)}</title>
<style>
  body { font: 1.5rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1rem; }
  dt { color: #666; font-size: 1rem } dd { margin: 0 0 1rem; font-weight: 600 }
</style>
<h1>Demo application</h1>
<dl>
  <dt>Docker container id</dt><dd>${safe(container)}</dd>
  <dt>Application version</dt><dd>${safe(version)}</dd>
  <dt>Health</dt><dd>${healthy ? 'well' : 'sick'}</dd>
</dl>
</html>
`;
}
