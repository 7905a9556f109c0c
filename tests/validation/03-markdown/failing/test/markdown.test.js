import test from "node:test";
import assert from "node:assert/strict";
import { markdownToHtml } from "../src/markdown.js";

const cases = [
  ["heading", "# Hello", "<h1>Hello</h1>"],
  ["heading with closing hashes", "### Hello ###", "<h3>Hello</h3>"],
  ["no heading without a space", "#hashtag", "<p>#hashtag</p>"],
  ["paragraphs", "one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>"],
  ["bold and italic", "**bold** and *italic*", "<p><strong>bold</strong> and <em>italic</em></p>"],
  ["bold in italic", "***both***", "<p><em><strong>both</strong></em></p>"],
  ["no italic inside a word", "snake_case_name", "<p>snake_case_name</p>"],
  ["inline code", "use `a < b` and `**x**`", "<p>use <code>a &lt; b</code> and <code>**x**</code></p>"],
  ["unordered list", "- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"],
  ["ordered list", "1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"],
  ["list right after a paragraph", "text\n- a", "<p>text</p>\n<ul>\n<li>a</li>\n</ul>"],
  ["blockquote", "> # Hi\n> there", "<blockquote>\n<h1>Hi</h1>\n<p>there</p>\n</blockquote>"],
  ["link", "[site](https://example.org/?a=1&b=2)", '<p><a href="https://example.org/?a=1&amp;b=2">site</a></p>'],
  ["image", "![cat](cat.png)", '<p><img src="cat.png" alt="cat"></p>'],
  ["script link", "[x](javascript:alert)", '<p><a href="#">x</a></p>'],
  ["rule", "a\n\n---\n\nb", "<p>a</p>\n<hr>\n<p>b</p>"],
  ["html is escaped", "<b>&</b>", "<p>&lt;b&gt;&amp;&lt;/b&gt;</p>"],
];

for (const [name, input, expected] of cases) {
  test(name, () => assert.equal(markdownToHtml(input), expected));
}

test("fenced code", () => {
  const text = ["```js", "if (a < b) {", "", "  # no heading", "}", "```", "after"].join("\n");
  assert.equal(
    markdownToHtml(text),
    '<pre><code class="language-js">if (a &lt; b) {\n\n  # no heading\n}\n</code></pre>\n<p>after</p>',
  );
});

test("a text full of markers ends", () => {
  for (const text of ["* ", "-", "1.", ">", "```", "# ", "***", "+ \n* \n"]) {
    assert.equal(typeof markdownToHtml(text), "string");
  }
});
