#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records what jinja2 makes of chat templates, in the environment that transformers gives them.

    make_chat.py OUT.json                  the templates below
    make_chat.py OUT.json TEMPLATE...      template files, over the conversations below

Each case holds the template, its variables, and the output, or "error": true where jinja2 refuses.
`strftime_now` stands at 2024-07-26 09:05:03. Needs jinja2 (3.1).
"""
import datetime
import json
import pathlib
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 7, 26, 9, 5, 3)


class Generation(jinja2.ext.Extension):
    """{% generation %}, which marks an assistant's words and leaves the text alone."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("same"), [], [], body).set_lineno(line)

    def same(self, caller):
        return caller()


def environment():
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


TOOLS = [{"type": "function", "function": {
    "name": "weather", "description": "Says \"how\" it is <outside> & more",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Zürich or 日本"},
        "unit": {"type": "string", "enum": ["C", "F"]},
        "days": {"type": "integer", "default": 3}}, "required": ["city"]}}}]
USER = {"role": "user", "content": "  Hello, <who> are \"you\"?\n"}
ANSWER = {"role": "assistant", "content": "I am Tern. 日本 😀\n"}
THOUGHT = {"role": "assistant", "content": "<think>\nhm, two\n</think>\n\nIt is 4."}
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"id": "call00001", "type": "function",
     "function": {"name": "weather", "arguments": {"city": "Zürich", "days": 2.0}}}]}
RESULT = {"role": "tool", "name": "weather", "tool_call_id": "call00001",
          "content": "{\"sky\": \"blue\"}"}
SYSTEM = {"role": "system", "content": "Be brief."}
PARTS = {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": " two"}]}
CONVERSATIONS = [
    {"messages": [USER]},
    {"messages": [USER], "add_generation_prompt": True},
    {"messages": [SYSTEM, USER, ANSWER, USER], "add_generation_prompt": True},
    {"messages": [SYSTEM, USER, ANSWER]},
    {"messages": [USER, THOUGHT, USER], "add_generation_prompt": True, "enable_thinking": False},
    {"messages": [USER, THOUGHT, USER, THOUGHT], "enable_thinking": True},
    {"messages": [SYSTEM, USER], "tools": TOOLS, "add_generation_prompt": True},
    {"messages": [USER, CALL, RESULT, RESULT, ANSWER], "tools": TOOLS},
    {"messages": [USER, CALL, RESULT], "tools": TOOLS, "add_generation_prompt": True},
    {"messages": [PARTS, ANSWER, PARTS], "add_generation_prompt": True},
    {"messages": [USER, USER], "add_generation_prompt": True},
    {"messages": [SYSTEM], "add_generation_prompt": True},
    {"messages": [], "add_generation_prompt": True},
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}

# What the templates of the families do, each in its own way.
FAMILIES = {
    "roles": """{% for message in messages %}
{% if loop.first %}{{ bos_token }}{% endif %}
{{- message.role | capitalize + ': ' + message['content'] | string | trim + '<|eot_id|>' }}
{%- endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}""",
    "headers": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{#- The system message comes out first. -#}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\\n\\n" }}
{{- "Today: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {{- "Functions:\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start|>' + message['role'] + '<|end|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one tool call at a time!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '{"name": "' + tool_call.name + '", "parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start|>assistant<|end|>\\n\\n' }}
{%- endif %}
""",
    "thinking": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "turns": """{{ bos_token }}
{%- if messages and messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}
""",
    "macros": """{%- macro kind(spec, nested=false) -%}
    {%- if spec.enum -%}{{ spec.enum | map('tojson') | join(' | ') }}
    {%- elif spec.type == "object" -%}
        {%- for key, value in spec.properties | dictsort %}
{{ "  " if nested }}{{ key }}{{ "?" if key not in spec.get("required", []) }}: {{ kind(value, nested=true) }}
        {%- endfor %}
    {%- else -%}{{ spec.type | default("any") }}{{ " = " ~ spec.default if spec.default is defined }}
    {%- endif -%}
{%- endmacro -%}
{%- for tool in tools or [] %}
{{ loop.index }}/{{ loop.length }} {{ tool.function.name | upper }}{{ kind(tool.function.parameters) }}
{% endfor %}
{%- for m in messages if m.role != "system" %}
{% generation %}{{ loop.cycle("A", "B") }}: {% if m.content is string %}{{ m.content.strip() }}{% else %}{{ m.content | selectattr("type", "equalto", "text") | map(attribute="text") | join("+") }}{% endif %}{% endgeneration %}

{%- else %}
nothing
{%- endfor %}""",
}

X = {"x": {"a": 1, "b": [1, 2.5, True, None, "q'\"\n"], "é": {"k": "v"}}, "s": "Hello Wörld ß", "n": 7,
     "words": ["b", "A", "c", "a"], "empty": [], "messages": [USER, ANSWER], "none": None}
# What one expression or tag does.
SMALL = r"""
{{ x }}|{{ x.b }}|{{ x['é'].k }}|{{ x.nope }}|{{ (1,) }}|{{ (1, 2) }}|{{ () }}|{{ 1, 2 }}
{{ x | tojson }}|{{ x | tojson(indent=2) }}|{{ x | tojson(sort_keys=true, separators=(',', ':')) }}|{{ s | tojson(ensure_ascii=true) }}
{{ [] | tojson }}{{ {} | tojson }}{{ [[], {}] | tojson(indent=1) }}{{ 'a"\\\u0001\u007f' | tojson }}{{ {1: 2, none: 3} | tojson }}
{{ 1 + 2 * 3 - 4 / 2 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 7 % -3 }}|{{ 2 ** 10 }}|{{ 2 ** -1 }}|{{ 7.5 // 2 }}|{{ -7.5 % 2 }}
{{ 1.0 }}|{{ 0.1 + 0.2 }}|{{ 1e16 }}|{{ 1e15 }}|{{ 1e-5 }}|{{ 0.0001 }}|{{ 1e100 }}|{{ 3.0 * 2 }}|{{ -0.0 }}|{{ 1_000 }}|{{ 123456789.125 }}
{{ 'a' ~ 1 ~ none ~ true ~ nope }}|{{ 'ab' * 3 }}|{{ [1] * 2 + [3] }}|{{ 'a' 'b' "c" }}|{{ -n }}|{{ +n }}|{{ - n | abs }}
{{ s[0] }}{{ s[-1] }}{{ s[99] }}|{{ s[1:4] }}|{{ s[::-1] }}|{{ s[:-3] }}|{{ s[::2] }}|{{ s[8:2:-2] }}|{{ s[-3:] }}|{{ words[1:] }}|{{ words[::-1] }}|{{ (1,2,3)[:2] }}
{{ s.upper() }}|{{ s.lower() }}|{{ s.title() }}|{{ s | title }}|{{ "it's a-b (c)" | title }}|{{ "it's a-b" .title() }}|{{ s.capitalize() }}|{{ 'éA' | capitalize }}
{{ s.split() }}|{{ s.split('l') }}|{{ s.split('l', 1) }}|{{ ' a  b '.split(' ') }}|{{ s.rsplit('l', 1) }}|{{ 'a b c'.rsplit(none, 1) }}|{{ 'a\nb\r\nc'.splitlines() }}|{{ ''.split() }}|{{ ''.split('x') }}|{{ 'a b  c'.split(none, 1) }}
{{ '  x \n'.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xyaxy'.lstrip('yx') }}|{{ 'abab'.rstrip('b') }}|{{ '\u00a0a\u2003'.strip() }}|{{ 'xéx' | trim('x') }}
{{ s.startswith('He') }}|{{ s.endswith(('x', 'ß')) }}|{{ s.find('W') }}|{{ s.find('q') }}|{{ s.rfind('l') }}|{{ s.count('l') }}|{{ s.replace('l', 'L') }}|{{ s.replace('l', 'L', 1) }}|{{ 'ab'.replace('', '-') }}|{{ s.removeprefix('Hell') }}|{{ s.removesuffix('ß') }}
{{ '12'.isdigit() }}|{{ 'a1'.isalnum() }}|{{ 'aé'.isalpha() }}|{{ ' \n'.isspace() }}|{{ 'AB1'.isupper() }}|{{ 'ab'.islower() }}|{{ ''.isdigit() }}
{{ ', '.join(words) }}|{{ words | join }}|{{ words | join(', ') }}|{{ messages | join('/', attribute='role') }}
{{ words | sort }}|{{ words | sort(reverse=true) }}|{{ words | sort(case_sensitive=true) }}|{{ words | unique | list }}|{{ [3,1,2] | sort }}|{{ messages | sort(attribute='role') | map(attribute='role') | list }}
{{ words | first }}|{{ words | last }}|{{ words | reverse | list }}|{{ s | reverse }}|{{ words | length }}|{{ s | length }}|{{ x | length }}|{{ empty | first }}|{{ [1,2,3] | sum }}|{{ [1,5,3] | max }}|{{ [4,2] | min }}
{{ nope | default('d') }}|{{ '' | default('d') }}|{{ '' | default('d', true) }}|{{ none | d('x') }}|{{ n | string + 'x' }}|{{ '12' | int + 1 }}|{{ 'x' | int }}|{{ 'x' | int(5) }}|{{ '1.5' | float }}|{{ '3.9' | int }}|{{ 3.9 | int }}|{{ true | int }}
{{ x | items | list }}|{{ x.items() | list }}|{{ x.keys() | list }}|{{ x.get('a') }}|{{ x.get('z') }}|{{ x.get('z', 5) }}|{{ x | dictsort }}|{{ x | list }}
{{ words | map('upper') | list }}|{{ words | select('equalto', 'a') | list }}|{{ words | reject('in', ['a', 'b']) | list }}|{{ [0, 1, '', 'x'] | select | list }}|{{ messages | selectattr('role', '==', 'user') | list | length }}
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first }}|{{ messages | rejectattr('role', 'eq', 'user') | list | length }}|{{ messages | selectattr('nope') | list }}|{{ messages | map(attribute='nope', default='-') | list }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb' | indent('> ') }}|{{ 'a\n' | indent(1) }}
{{ n is defined }}|{{ nope is defined }}|{{ nope is undefined }}|{{ none is none }}|{{ n is number }}|{{ s is string }}|{{ x is mapping }}|{{ words is sequence }}|{{ s is iterable }}|{{ n is iterable }}|{{ true is boolean }}|{{ 1 is integer }}|{{ 1.0 is float }}|{{ true is number }}|{{ true is integer }}
{{ n is odd }}|{{ n is even }}|{{ n is divisibleby 7 }}|{{ n is divisibleby(2) }}|{{ 'a' is in words }}|{{ n is eq 7 }}|{{ n is gt 3 and n is lt(9) }}|{{ n is not none }}|{{ not n is none }}|{{ 'A' is upper }}|{{ 'a' is lower }}|{{ true is true }}|{{ 1 is true }}|{{ range is callable }}
{{ 1 < 2 < 3 }}|{{ 1 < 2 > 3 }}|{{ 'a' < 'b' }}|{{ [1, 2] < [1, 3] }}|{{ 1 == 1.0 }}|{{ 1 == true }}|{{ 'a' in 'abc' }}|{{ 'a' not in words }}|{{ 'a' in x }}|{{ 2 >= 2 }}|{{ x == x }}|{{ (1,) == [1] }}|{{ nope == none }}|{{ 'x' in nope }}
{{ 'y' if n else 'z' }}|{{ 'y' if nope }}|{{ 'y' if nope else 'z' if none else 'w' }}|{{ nope or 'o' }}|{{ n and 's' }}|{{ not n }}|{{ '' or none or [] }}|{{ 1 if true else 1 / 0 }}
{{ range(3) | list }}|{{ range(1, 4) | list }}|{{ range(5, 0, -2) | list }}|{{ dict(a=1, b='c') }}|{{ namespace(a=1).a }}|{{ strftime_now('%Y-%m-%d %H:%M:%S %a %A %b %B %j %y %p %I %%') }}
{% for w in words %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ w }}{{ loop.previtem }}{{ loop.nextitem }} {{ loop.changed(w == 'A') }};{% endfor %}
{% for k, v in x.items() %}{{ k }}={{ v }};{% endfor %}|{% for k in x %}{{ k }}{% endfor %}|{% for c in s[:3] %}{{ c }}.{% endfor %}|{% for (a, b) in [(1, 2), [3, 4]] %}{{ a + b }}{% endfor %}
{% for w in words if w != 'A' %}{{ loop.index }}{{ w }}{% else %}none{% endfor %}|{% for w in empty %}x{% else %}none{% endfor %}|{% for w in nope %}x{% else %}undef{% endfor %}|{% for a in [1,2] %}{% for b in [1,2] %}{{ loop.depth }}{{ a }}{{ b }} {% endfor %}{{ loop.index }}{% endfor %}
{% for w in words %}{% if w == 'A' %}{% continue %}{% endif %}{% if w == 'a' %}{% break %}{% endif %}{{ w }}{% endfor %}
{% set y = 1 %}{% for i in range(3) %}{{ y }}{% set y = i + 5 %}{{ y }}{% endfor %}{{ y }}|{% if true %}{% set y = 9 %}{% endif %}{{ y }}|{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set ns = namespace(c=0, l=[]) %}{% for i in range(4) %}{% set ns.c = ns.c + i %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.c }}{{ ns.l }}{% set ns.d = 'new' %}{{ ns.d }}{{ ns.nope }}{{ ns['c'] }}
{% set block %}  text {{ n }}
{% endset %}[{{ block }}]{% set up | upper | trim %} abc {% endset %}[{{ up }}]{% filter upper %}x{{ s }}{% endfilter %}{% with a = n, b = 2 %}{{ a + b }}{% set n = 100 %}{% endwith %}{{ n }}
{% macro m(a, b=2, c=n) %}<{{ a }}{{ b }}{{ c }}{{ d }}>{% endmacro %}{{ m(1) }}{{ m(1, c=5) }}{{ m(b='x') }}{{ m(1, 2, 3) | upper }}{% set d = 'late' %}{{ m(1) }}{% for q in [1] %}{{ m(q) }}{% endfor %}
{% macro fact(k) %}{{ 1 if k == 0 else k * (fact(k - 1) | int) }}{% endmacro %}{{ fact(6) }}
  {% if true %}
 a
  {% endif %}
b {%- if true -%} c {%- endif -%}  d {%+ if true %}e{% endif +%}
f{# comment #}
g {#- c -#} h{{ 'i' -}}
  j
    {%- raw %} {{ raw }} {% endraw -%}  k {% raw -%}  {% x %}  {%- endraw %}
l
{{ "}}" }}{{ '%}' }}{{ {'a': {'b': 1}}['a']['b'] }}{{ "tab\tx\x41\u00e9\101\q\\" }}{{ 'it\'s' }}{{ "a
b" }}
{% if n == 7 %}
  {% if s %}in{% elif true %}no{% else %}no{% endif %}

 {% endif %}
end
{{ x.b.0 }}|{{ x.b[0:2] }}|{{ messages[-1]['role'] }}|{{ messages[0].content[:4] }}|{{ x['b'][-2] }}|{{ x.b[4] }}|{{ [x.b[4]] }}|{{ ['\u200b\u00a0\U0001F600\x00'] }}|{{ ["'", '"', "'\""] }}
{{ raise_exception('no ' + s) }}
{{ nope.attr }}
{{ nope + 1 }}
{{ 1 + 'a' }}
{{ 1 / 0 }}
{{ nope() }}
{{ 'a'.frobnicate() }}
{{ none | length }}
{% for i in 5 %}{% endfor %}
{% set n.x = 1 %}
{% if %}{% endif %}
{% endfor %}
{{ 1 < 'a' }}
{{ 'a
{% for a, b in [1] %}{% endfor %}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% break %}
{{ x.update({}) }}
{{ '<a>' | safe }}|{{ 'a' + '<' }}|{{ '<a>' | safe + '<&>"\'' }}|{{ '<' + ('<' | safe) }}|{{ '<' | safe ~ '<' }}|{{ x | tojson | safe }}|{{ '<' ~ (x.b | tojson | safe) ~ '>' }}|{{ n | safe + '<' }}
{% set y = '<a>' | safe %}{{ [y] }}|{{ y == '<a>' }}|{{ y is string }}|{{ y[0] + '<' }}|{{ y[:2] + '<' }}|{{ y * 2 + '<' }}|{{ [y] | tojson }}|{{ y | length }}|{{ {y: 1}['<a>'] }}|{{ '<' in y }}|{{ y | safe + '<' }}|{{ y and y + '<' }}
{% set y = ' <a> ' | safe %}{{ y | trim + '<' }}|{{ y | upper + '<' }}|{{ y | lower + '<' }}|{{ y | capitalize + '<' }}|{{ y | string + '<' }}|{{ y | reverse + '<' }}|{{ y | indent + '<' }}|{{ y | title + '<' }}|{{ y | replace('a', '<') + '<' }}|{{ [y, '<'] | join + '<' }}|{{ y | first + '<' }}|{{ y | default('b') + '<' }}|{{ y | tojson + '<' }}
{% set y = ' <a> ' | safe %}{{ y.strip() + '<' }}|{{ y.lstrip(' ') + '<' }}|{{ y.rstrip() + '<' }}|{{ y.upper() + '<' }}|{{ y.lower() + '<' }}|{{ y.title() + '<' }}|{{ y.capitalize() + '<' }}|{{ y.removeprefix(' ') + '<' }}|{{ y.removesuffix(' ') + '<' }}|{{ y.find('a') }}|{{ y.startswith(' ') }}|{{ ', '.join([y, '<']) + '<' }}|{{ 'xax'.replace('a', y) + '<' }}
{% set y | upper | safe %}<a>{% endset %}{{ y + '<' }}|{% filter safe %}<b>{% endfilter %}|{% macro m(a) %}{{ a + '<' }}{% endmacro %}{{ m('>' | safe) + '<' }}|{{ ['<', '>'] | map('safe') | list }}|{{ ('<' | safe if n else '>') + '<' }}
{{ none | map('upper') | list }}|{{ none | map(attribute='a') | list }}|{{ 0 | select | list }}|{{ none | selectattr('a') | list }}|{{ '' | reject('none') | list }}
{% if nope %}{{ n | from_json }}{{ 'a'.encode() }}{% endif %}b|{{ n | from_json if nope else 'c' }}|{% if nope is defined and nope is frobnicated %}d{% endif %}
{{ '<{}|{}>{{{}}}'.format(n, x.b, nope) }}|{{ '{1}{0}{a}'.format('b', 1.0, a=true) }}|{{ ''.format(1) }}|{{ '{}'.format('<') }}
{{ '{}{}'.format(1) }}
{{ 'a{'.format(1) }}
{{ 'a}'.format(1) }}
{{ '{a}'.format(1) }}
{{ n | frobnicate }}
{{ n is frobnicated }}
{{ [n] | map('frobnicate') | list }}
{{ '<' | safe + 1 }}
{{ '<' | safe + nope }}
""".strip("\n").split("\n")


def small_cases():
    # A line is a case; lines from one that opens a block or string up to the one that closes it,
    # marked here by what they begin with, belong together.
    joined, group = [], None
    for line in SMALL:
        if line.startswith("{% set block %}") or line == "  {% if true %}" or \
                line.startswith('{{ "}}" }}') or line == "{% if n == 7 %}":
            group = [line]
        elif group is not None:
            group.append(line)
            if line.startswith(("{% endset %}", "l", 'b" }}', "end")):
                joined.append("\n".join(group) + "\n")
                group = None
        else:
            joined.append(line)
    return joined


def record(env, name, template, variables):
    case = {"name": name, "template": template, "variables": variables}
    try:
        case["output"] = env.from_string(template).render(**variables)
    except Exception:
        case["error"] = True
    return case


def main():
    out, files = sys.argv[1], sys.argv[2:]
    env = environment()
    cases = []
    if files:
        templates = {pathlib.Path(f).name: pathlib.Path(f).read_text() for f in files}
    else:
        templates = FAMILIES
        for i, template in enumerate(small_cases()):
            cases.append(record(env, f"small {i}", template, X))
    for name, template in templates.items():
        for i, conversation in enumerate(CONVERSATIONS):
            cases.append(record(env, f"{name} {i}", template, {**TOKENS, **conversation}))
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    pathlib.Path(out).write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
