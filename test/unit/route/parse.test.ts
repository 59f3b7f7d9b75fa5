import { describe, expect, test } from 'vitest';
import { type Matcher, matches, parseRoute, printRoute } from '../../../src/lib/route/index.ts';
import { refusal, request } from './support.ts';

const only = (text: string): Matcher => {
  const { expression } = parseRoute(text);
  if (expression.kind !== 'matcher') throw new Error('more than one matcher');
  return expression.matcher;
};

describe('parseRoute', () => {
  test.each([
    ['Host("A.Example")', { kind: 'host', form: 'literal', value: 'a.example' }],
    ['HostRegexp("[A-Z]+\\\\.Example\\\\D")', { kind: 'host', form: 'regexp', value: '[a-z]+\\.example\\D' }],
    [
      'HostRegexp(`(?P<Sub>A)\\QB.C\\ED\\p{Lu}`)',
      { kind: 'host', form: 'regexp', value: '(?P<Sub>a)\\Qb.c\\Ed\\p{Lu}' },
    ],
    ['Path(`/a`)', { kind: 'path', form: 'literal', value: '/a' }],
    ['Path("/\\u00e9\\x41\\101\\t")', { kind: 'path', form: 'literal', value: '/éAA\t' }],
    ['Path("/\\xc3\\xa9")', { kind: 'path', form: 'literal', value: '/é' }],
    ['Path(`/a\r\\n`)', { kind: 'path', form: 'literal', value: '/a\\n' }],
    ['Path("/v1/<hello")', { kind: 'path', form: 'literal', value: '/v1/<hello' }],
    ['Path("/<>")', { kind: 'path', form: 'literal', value: '/<>' }],
    ['Header("X-Y", "z",)', { kind: 'header', header: 'x-y', form: 'literal', value: 'z' }],
    ['MethodRegexp /* any */ ("") // end', { kind: 'method', form: 'regexp', value: '' }],
  ])('%s', (text, wanted) => {
    expect(only(text)).toEqual(wanted);
    expect(parseRoute(text).foreign).toEqual([]);
  });

  test.each([
    ['Path("/a/<x>/b")', '^/a/[^/]*/b\\z'],
    ['Path("/<int:n>")', '^/[0-9]*\\z'],
    ['Path("/a.b/<path:rest>")', '^/a\\.b/[\\s\\S]*\\z'],
    ['Host("<x>.example")', '^[^.]*\\.example\\z'],
    ['Header("A", "<x>/<y>")', '^[^/]*/[^/]*\\z'],
    ['Path("/<int:a><b><path:c>")', '^/[0-9]*(?:/[\\s\\S]*)?\\z'],
    ['Path("/<a><path:c><int:d>")', '^/[^/]*[\\s\\S]*\\z'],
    ['Path("/<a>.html")', '^[^\\s\\S]\\z'],
    ['Path("/<path:a>/b")', '^[^\\s\\S]\\z'],
  ])('%s is %s', (text, regexp) => {
    expect(only(text)).toMatchObject({
      form: 'pattern',
      regexp,
      dead: regexp.includes('\\S]\\z') && regexp.includes('[^\\s'),
    });
  });

  test.each([
    ['', 'route: expected a matcher such as Host("...") but found the end, at character 1: >>>'],
    ['bad', 'route: expected ( after "bad" but found the end, at character 4: bad>>>'],
    [
      'Host("a") Path("/")',
      'route: expected &&, || or the end but found "Path", at character 11: Host("a") >>>Path("/")',
    ],
    [
      'Host("a") & Path("/")',
      'route: "&" has no meaning here; "and" is &&, at character 11: Host("a") >>>& Path("/")',
    ],
    [
      "Host('a')",
      'route: "\'" has no meaning here; strings stand in "..." or `...`, at character 6: Host(>>>\'a\')',
    ],
    ['Host("a', 'route: a string that is never closed, at character 6: Host(>>>"a'],
    ['Host("a\nb")', 'route: a string that is never closed, at character 6: Host(>>>"a b")'],
    [
      'PathRegexp("\\d")',
      'route: "\\\\d" is not an escape of a Go string; a backslash is written \\\\, or use `...`, at character 13: PathRegexp(">>>\\d")',
    ],
    ['Path("\\xff")', 'route: the string is not UTF-8, at character 6: Path(>>>"\\xff")'],
    ['Host("a") == Path("/")', 'route: routes do not know ==, at character 11: Host("a") >>>== Path("/")'],
    ['"a" && Host("a")', 'route: a value alone is no matcher, at character 1: >>>"a" && Host("a")'],
    ['Path(1)', 'route: Path takes strings, not 1, at character 6: Path(>>>1)'],
    [
      'Path(Path("a"))',
      'route: expected a string or a number but found "Path", at character 6: Path(>>>Path("a"))',
    ],
    ['Path("")', 'route: Path of nothing, at character 6: Path(>>>"")'],
    ['Path("a", "b")', 'route: Path takes one string, at character 1: >>>Path("a", "b")'],
    ['Header("a")', 'route: Header takes a header name and a value, at character 1: >>>Header("a")'],
    ['Header("a b", "c")', 'route: "a b" is not a header name, at character 8: Header(>>>"a b", "c")'],
    [
      'Path("/<uint8:n>")',
      'route: <uint8:...> is none of <NAME>, <string:NAME>, <int:NAME>, <path:NAME>, at character 6: Path(>>>"/<uint8:n>")',
    ],
    ['Path("/<int:a:b>")', 'route: <int:...> takes one name, at character 6: Path(>>>"/<int:a:b>")'],
    [
      'toString("a")',
      'route: no matcher "toString"; there are Host, HostRegexp, Path, PathRegexp, Method, MethodRegexp, Header, HeaderRegexp, at character 1: >>>toString("a")',
    ],
    [
      'PathRegexp("[[")',
      'route: error parsing regexp: missing closing ]: `[[`, at character 12: PathRegexp(>>>"[[")',
    ],
    ['(Host("a")', 'route: expected &&, || or ) but found the end, at character 11: (Host("a")>>>'],
    ['Host("a")()', 'route: expected &&, || or the end but found "(", at character 10: Host("a")>>>()'],
    ['(Host)("a")', 'route: expected ( after "Host" but found ")", at character 6: (Host>>>)("a")'],
  ])('refuses %s', (text, message) => {
    const error = refusal(() => parseRoute(text));
    expect(error.code).toBe('route-syntax');
    expect(error.message).toBe(message);
  });

  test('has limits', () => {
    expect(refusal(() => parseRoute(`Path("${'a'.repeat(5000)}")`)).code).toBe('route-syntax');
    expect(refusal(() => parseRoute(`${'('.repeat(2000)}`)).message).toContain('nested too deeply');
    expect(refusal(() => parseRoute(`${'!'.repeat(2000)}Path("/")`)).message).toContain('nested too deeply');
    const pairs = (count: number): string =>
      Array.from({ length: count }, (_, i) => `(Path("/${i}") || Host("h${i}"))`).join(' && ');
    expect(parseRoute(pairs(6)).conjunctions).toHaveLength(64);
    const error = refusal(() => parseRoute(pairs(7)));
    expect(error.code).toBe('route-too-large');
    expect(error.message).toBe('the route stands for more than 64 alternatives');
  });

  test.each([
    ['Host("a") && (Path("/") && Method("GET"))', ['brackets']],
    ['Host("a") &&\n  Path("/")\n', []],
    ['Host("a") || !Path("/")', ['||', '!']],
    ['Host("a")\n  && Path("/")', ['a line break before && or a bracket']],
  ])('%j is foreign to vulcand for %j', (text, foreign) => {
    expect(parseRoute(text).foreign).toEqual(foreign);
  });

  test('reads a route of a thousand characters with one condition each', () => {
    const text = Array.from({ length: 200 }, (_, i) => `Path("/${i}")`).join(' && ');
    expect(parseRoute(text).conjunctions[0]).toHaveLength(200);
    expect(printRoute(parseRoute(text))).toBe(text);
  });
});

describe('matches', () => {
  test.each([
    ['Path("/a/<x>")', request('/a/'), true],
    ['Path("/a/<x>")', request('/a/b/c'), false],
    ['Path("/a/<x>") && Method("GET")', request('/a/b'), true],
    ['Path("/a/<x>/")', request('/a/b/'), true],
    ['Path("/<int:n>")', request('/12'), true],
    ['Path("/<int:n>")', request('/12a'), false],
    ['Path("/<int:n>/x")', request('//x'), true],
    ['Path("/a/<path:rest>")', request('/a/b/c?d=/'), true],
    ['Path("/<a>.html")', request('/x.html'), false],
    ['Host("<a>.<b>")', request('/', 'x.y:80'), true],
    ['Host("<a>")', request('/', 'x.y'), false],
    ['Host("[::1]")', request('/', '[::1]:8181'), true],
    ['Method("get")', request('/', '', 'GET'), false],
    ['Method("<any>")', request('/', '', 'GET'), true],
    ['Header("ACCEPT", "json")', request('/', '', 'GET', { Accept: 'json' }), true],
    ['Header("Accept", "JSON")', request('/', '', 'GET', { Accept: 'json' }), false],
    ['Header("X-Absent", "<any>")', request(), true],
    ['HeaderRegexp("X-Absent", ".")', request(), false],
    ['!HeaderRegexp("X-Absent", ".") && (Path("/a") || Path("/"))', request(), true],
    ['Header("__proto__", "<x>")', request(), true],
    ['HostRegexp("\\\\D+")', request('/', 'abc'), true],
    ['PathRegexp("^/a$")', request('/a\n'), false],
  ])('%s', (text, asked, wanted) => {
    expect(matches(parseRoute(text), asked)).toBe(wanted);
  });
});
