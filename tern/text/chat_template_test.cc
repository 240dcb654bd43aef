// SPDX-License-Identifier: MIT
// What chat templates refuse, and that hostile ones end. Their output is compared with jinja2's in
// tests/golden.
#include "tern/text/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tern/base/error.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

std::string Render(const std::string& source, const Json& variables = Json::object()) {
  return ChatTemplate(source, "chat").Render(variables, {});
}

// The template is refused, with a message of this kind and one line that holds `text`.
void ExpectRefused(const std::string& source, ErrorKind kind, std::string_view text,
                   const Json& variables = Json::object()) {
  SCOPED_TRACE(source.substr(0, 200));
  try {
    const std::string out = Render(source, variables);
    ADD_FAILURE() << "renders " << out.size() << " bytes: " << out.substr(0, 200);
  } catch (const Error& error) {
    const std::string_view message = error.what();
    EXPECT_EQ(error.kind(), kind) << message;
    EXPECT_NE(message.find(text), std::string_view::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string_view::npos) << message;
  }
}

std::string Repeated(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(ChatTemplate, NamesWhatTheSubsetLacks) {
  const struct {
    const char* source;
    const char* named;
  } cases[] = {
      {"a\n\n{% include 'x' %}", "chat: line 3: the tag \"include\""},
      {"{% import 'x' as y %}", "the tag \"import\""},
      {"{% extends 'x' %}", "the tag \"extends\""},
      {"{% block x %}{% endblock %}", "the tag \"block\""},
      {"{% call f() %}{% endcall %}", "the tag \"call\""},
      {"{% do f() %}", "the tag \"do\""},
      {"{{ x | groupby('y') }}", "the filter \"groupby\""},
      {"{{ [1] | map('batch') }}", "the filter \"batch\""},
      {"{{ x is sameas y }}", "the test \"sameas\""},
      {"{{ [1] | select('escaped') | list }}", "the test \"escaped\""},
      {"{{ lipsum() }}", "the function \"lipsum\""},
      {"{{ cycler(1) }}", "the function \"cycler\""},
      {"{{ n | frobnicate }}", "chat: line 1: the filter \"frobnicate\""},
      {"a\n{{ ('a' | safe).split() }}", "chat: line 2: the method \"split\" of a safe str"},
      {"{{ ('a' | safe).replace('a', '<') }}", "the method \"replace\" of a safe str"},
      {"{{ 'a'.zfill(3) }}", "the method \"zfill\" of str"},
      {"{{ {}.update({}) }}", "the method \"update\" of dict"},
      {"{{ [1].append(2) }}", "the method \"append\" of list"},
      {"{{ '{:d}'.format(1) }}", "the field \":d\" of format"},
      {"{{ '{a.b}'.format(a=1) }}", "the field \"a.b\" of format"},
      {"{{ 'a'.upper }}", "the method \"upper\" without a call"},
      {"{{ '%s' % 1 }}", "formatting a str with %"},
      {"{{ f(*x) }}", "unpacking of arguments"},
      {"{{ varargs }}", "\"varargs\""},
      {"{{ x[1, 2] }}", "a subscript with a comma"},
      {"{{ 0x10 }}", "the number \"0x\""},
      {"{{ '\\N{DASH}' }}", "the escape \\N"},
      {"{% for x in y recursive %}{% endfor %}", "a recursive loop"},
      {"{% for a, (b, c) in x %}{% endfor %}", "taking nested tuples apart"},
      {"{% for x in y %}{% macro m() %}{% endmacro %}{% endfor %}", "a macro within a loop"},
      {"{% for x in [1] %}{{ loop.foo }}{% endfor %}", "\"loop.foo\""},
      {"{{ {1.5: 2} }}", "a float as the key of a dict"},
      {"{% macro m() %}{% endmacro %}{{ [m] }}", "a macro within a list"},
      {"{{ [namespace()] }}", "a namespace within a list"},
      {"{{ namespace(a=namespace()) }}", "a namespace within a namespace"},
      {"{{ strftime_now('%Q') }}", "the time format \"%Q\""},
      {"{{ strftime_now('%Z') }}", "the time format \"%Z\""},
      {"{{ 'a' | replace('a', 'b', wrong=2) }}", "the argument \"wrong\" of replace"},
  };
  for (const auto& item : cases) {
    ExpectRefused(item.source, ErrorKind::kUnsupported, item.named);
  }
  ExpectRefused("{{ " + Repeated("n", 257) + " }}", ErrorKind::kUnsupported, "a name of 257 bytes");
}

// As in Jinja: what a case that does not come would need is not looked for.
TEST(ChatTemplate, HoldsWhatItDoesNotReach) {
  EXPECT_EQ(Render("{% if n %}{{ n | from_json }}{{ 'a'.encode() }}{% endif %}b"), "b");
  EXPECT_EQ(Render("{{ 'a' if n is not defined or n is sameas(1) }}"), "a");
}

TEST(ChatTemplate, SaysWhereATemplateIsMalformed) {
  const struct {
    const char* source;
    const char* said;
  } cases[] = {
      {"a\n{{ 1", "chat: line 2: a tag without its }}"},
      {"{# a", "a comment without its #}"},
      {"{% raw %} a", "a raw block without its endraw"},
      {"{% if x %}", "the tag endif is missing"},
      {"{% for x in y %}{% endif %}", "the tag endif is out of place"},
      {"{% endfor %}", "the tag endfor is out of place"},
      {"{{ (1] }}", "an unexpected \"]\""},
      {"{{ 'a }}", "a string without its end"},
      {"{{ '\\ud800' }}", "no character"},
      {"{{ 1 2 }}", "\"2\" within a print tag"},
      {"{{ 99999999999999999999 }}", "too large"},
      {"{% break %}", "break outside a loop"},
      {"{% set none = 1 %}", "\"none\" is no variable"},
      {"{{ f(a=1, a=2) }}", "the argument \"a\" is given twice"},
      {"{% macro m(a, a) %}{% endmacro %}", "the parameter \"a\" stands twice"},
      {"{{ a ? b }}", "an unexpected \"?\""},
  };
  for (const auto& item : cases) ExpectRefused(item.source, ErrorKind::kInvalidFile, item.said);
  ExpectRefused("a\xFF", ErrorKind::kInvalidFile, "chat: line 1: the byte at offset 1");
  ExpectRefused(std::string((size_t{1} << 20) + 1, 'a'), ErrorKind::kInvalidFile, "1048577 bytes");
}

TEST(ChatTemplate, ComputesAsPython) {
  for (const auto& [expression, wanted] :
       {std::pair("1 // 0.1", "9.0"),
        {"-1 // 0.1", "-10.0"},
        {"1 % 0.1", "0.09999999999999995"},
        {"7.5 // -2", "-4.0"},
        {"7.5 % -2", "-0.5"},
        {"6.0 % -3", "-0.0"},
        {"0.0 // -2", "-0.0"},
        {"'aba'.replace('a', 'c', -9223372036854775807 - 1)", "cbc"},
        {"'a b'.split(' ', -9223372036854775807 - 1)", "['a', 'b']"}}) {
    EXPECT_EQ(Render(std::string("{{ ") + expression + " }}"), wanted) << expression;
  }
  EXPECT_EQ(Render("{{ 'a\nb' | indent(1200) }}"), "a\n" + std::string(1200, ' ') + "b");
}

TEST(ChatTemplate, RefusesWhatCannotRun) {
  const struct {
    const char* source;
    const char* said;
  } cases[] = {
      {"{{ raise_exception('no ' ~ 1) }}", "the template refuses this conversation: no 1"},
      {"{{ messages.x }}", "'messages' is undefined"},
      {"{{ 1 + 'a' }}", "\"+\" of int and str"},
      {"{{ 1 // 0 }}", "a division by zero"},
      {"{{ 1.0 // 0 }}", "a division by zero"},
      {"{{ 9223372036854775807 + 1 }}", "too large a number"},
      {"{{ -(-9223372036854775807 - 1) }}", "too large a number"},
      {"{{ 3 ** 1000000000000 }}", "too large a number"},
      {"{{ [1] * 9223372036854775807 }}", "too large a number"},
      {"{{ [1] < 'a' }}", "have no order"},
      {"{% for x in 5 %}{% endfor %}", "a int cannot be gone through"},
      {"{% for a, b in [[1]] %}{% endfor %}", "1 values for 2 variables"},
      {"{{ range(1, 5, 0) }}", "a range whose step is 0"},
      {"{{ 'a'[::0] }}", "a slice whose step is 0"},
      {"{% set x.y = 1 %}", "x is no namespace"},
      {"{{ x | int }}", "'x' is undefined"},
      {"{{ x | dictsort }}", "'x' is undefined"},
      {"{{ 1 is defined(2) }}", "the test \"defined\" takes no argument"},
      {"{{ 1 is divisibleby }}", "the test \"divisibleby\" takes one argument"},
      {"{{ '{99999999999999999999}'.format('a') }}", "no argument for the field"},
      {"{{ nothing() }}", "'nothing' is called and not defined"},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "the argument \"a\" twice"},
  };
  for (const auto& item : cases) {
    ExpectRefused(item.source, ErrorKind::kInvalidArgument, item.said);
  }
  ExpectRefused("a", ErrorKind::kInvalidArgument, "are an object", Json::array());
  ExpectRefused("a", ErrorKind::kInvalidArgument, "too large", {{"n", UINT64_MAX}});
  ExpectRefused("a", ErrorKind::kInvalidArgument, "a value given to", {{"text", "\xFF"}});
}

TEST(ChatTemplate, BoundsNesting) {
  const auto nested = [](std::string_view open, std::string_view inner, std::string_view close,
                         int depth) {
    return Repeated(open, depth) + std::string(inner) + Repeated(close, depth);
  };
  for (const int depth : {200, 80'000}) {
    for (const auto& [open, inner, close] : {std::array<const char*, 3>{"(", "1", ")"},
                                             {"[", "", "]"},
                                             {"{1:", "1", "}"},
                                             {"x[", "1", "]"},
                                             {"f(", "", ")"},
                                             {"f(a=", "1", ")"},
                                             {"- ", "1", ""},
                                             {"not ", "1", ""},
                                             {"1 if 1 else ", "1", ""},
                                             {"1 ** ", "1", ""},
                                             {"", "x", ".y"},
                                             {"", "x", "()"},
                                             {"", "x", "|list"},
                                             {"", "x", " + 1"}}) {
      ExpectRefused("{{ " + nested(open, inner, close, depth) + " }}", ErrorKind::kInvalidFile,
                    "nested deeper than 100");
    }
    ExpectRefused(nested("{%if 1%}", "", "{%endif%}", std::min(depth, 50'000)),
                  ErrorKind::kInvalidFile, "nested deeper than 100");
    Json deep = 1;
    for (int i = 0; i < depth; ++i) deep = Json::array({std::move(deep)});
    Json variables = Json::object();
    variables["deep"] = std::move(deep);
    ExpectRefused("a", ErrorKind::kInvalidArgument, "nest deeper than 64", variables);
  }
  ExpectRefused(
      "{% set n = namespace(x=[]) %}{% for i in range(100) %}{% set n.x = [n.x] %}"
      "{% endfor %}",
      ErrorKind::kInvalidArgument, "deeper than 64");
  ExpectRefused("{% macro m(a) %}{{ m([a]|length) }}{% endmacro %}{{ m(1) }}",
                ErrorKind::kInvalidArgument, "calls deeper than");
  ExpectRefused(
      "{% macro a() %}{% for i in [1] %}{% if b() %}{% endif %}{% endfor %}{% endmacro %}"
      "{% macro b() %}{% set c %}{% filter trim %}{{ a() }}{% endfilter %}{% endset %}"
      "{% endmacro %}{{ a() }}",
      ErrorKind::kInvalidArgument, "calls deeper than");
}

// Doubles namespace n's text x this many times.
std::string Doubled(int times) {
  return "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(" + std::to_string(times) +
         ") %}{% set n.x = n.x + n.x %}{% endfor %}";
}

TEST(ChatTemplate, BoundsWhatIsMade) {
  for (const std::string& source : {
           std::string("{{ 'a' * 1000000000000 }}"),
           std::string("{{ [1] * 1000000000000 }}"),
           std::string("{{ range(1000000000000000) }}"),
           std::string("{{ range(9223372036854775807, 0, -1) | length }}"),
           Doubled(40),
           Doubled(15) + "{{ n.x | replace('a', n.x) }}",
           Doubled(15) + "{{ n.x.replace('', n.x) }}",
           Doubled(15) + "{{ range(1000) | join(n.x) }}",
           Doubled(15) + "{{ n.x.join(n.x[:100] | list) }}",
           Doubled(15) + "{{ range(1000) | list | tojson(separators=[n.x, n.x]) }}",
           Doubled(15) + "{{ range(1000) | list | tojson(indent=9000000000000000000) }}",
           Doubled(15) + "{{ n.x.split('a') }}",
           Doubled(15) + "{{ '{0}{0}{0}{0}'.format(n.x, n.x) }}",
           Doubled(15) + "{{ n.x | replace('a', '<') + ('<' | safe) }}",
           Doubled(15) + "{{ n.x | list }}",
           Doubled(15) + "{{ ([n.x] * 100) | string }}",
           Doubled(15) + "{{ n.x | replace('a', '\\n') | indent(1000, true, true) }}",
           Doubled(15) + "{{ [n.x | replace('a', '\\x00')] }}",
           Doubled(15) + "{{ n.x | replace('a', '\\x00') | tojson }}",
           std::string("{% for i in range(9999) %}{% for j in range(9999) %}{{ 123456 }}"
                       "{% endfor %}{% endfor %}"),
           std::string("{% for i in range(9999) %}0123456789012345678901234567890123456789"
                       "01234567890123456789012345678901234567890123456789{% endfor %}"),
       }) {
    ExpectRefused(source, ErrorKind::kInvalidArgument, "at once");
  }
}

TEST(ChatTemplate, BoundsHowLongItRuns) {
  const auto loops = [](const std::string& body) {
    return "{% for i in range(9999) %}{% for j in range(9999) %}" + body +
           "{% endfor %}{% endfor %}";
  };
  const std::string text = Doubled(14) +
                           "{% set y = n.x + '' %}{% set spaces = ' ' * 120000 %}"
                           "{% set half = n.x[:60000] + 'b' %}{% set d = {n.x: 1} %}";
  for (const std::string& body : {
           std::string("{% set z = 1 %}"),
           std::string("{% if n.x == y %}{% endif %}"),
           std::string("{% if n.x < y %}{% endif %}"),
           std::string("{% if half in n.x %}{% endif %}"),
           std::string("{% if n.x.rfind(half) %}{% endif %}"),
           std::string("{% if n.x.count(half) %}{% endif %}"),
           std::string("{% if n.x.split(half) %}{% endif %}"),
           std::string("{% if n.x.replace(half, '') %}{% endif %}"),
           std::string("{% if spaces.strip() %}{% endif %}"),
           std::string("{% if n.x.strip('cba') %}{% endif %}"),
           std::string("{% if spaces | int %}{% endif %}"),
           std::string("{% if n.x.startswith(y) %}{% endif %}"),
           std::string("{% if n.x.removeprefix(y) %}{% endif %}"),
           std::string("{% if d[y] %}{% endif %}"),
           std::string("{% if d[half] %}{% endif %}"),
           std::string("{% if n.x[5] %}{% endif %}"),
           std::string("{% if n.x | length %}{% endif %}"),
       }) {
    ExpectRefused(text + loops(body), ErrorKind::kInvalidArgument, "runs too long");
  }
  ExpectRefused(
      "{% set n = namespace(x=[0, 1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] "
      "%}{% endfor %}{{ n.x == n.x }}",
      ErrorKind::kInvalidArgument, "runs too long");
  std::string many = "{% macro m(";
  for (int i = 0; i < 40'000; ++i) many += "a" + std::to_string(i) + ",";
  ExpectRefused(many + ") %}{% endmacro %}", ErrorKind::kInvalidArgument, "runs too long");
}

TEST(ChatTemplate, RunsALongConversation) {
  Json messages = Json::array();
  for (int i = 0; i < 2000; ++i) {
    messages.push_back({{"role", i % 2 == 0 ? "user" : "assistant"},
                        {"content", " <think>" + std::to_string(i) + "</think>" +
                                        Repeated("Wörter und mehr. ", 200)}});
  }
  const std::string out = Render(
      "{%- for m in messages[::-1] %}{% set last = loop.last %}{% endfor %}"
      "{%- for m in messages %}{{ '<|' + m.role | upper + '|>' }}{% if '</think>' in m.content %}"
      "{{ m.content.split('</think>')[-1].lstrip('\\n') | trim }}{% endif %}{{ '<|eot|>' }}"
      "{% endfor %}",
      {{"messages", messages}});
  const std::string turn = "|>" + Repeated("Wörter und mehr. ", 199) + "Wörter und mehr.<|eot|>";
  EXPECT_EQ(out, Repeated("<|USER" + turn + "<|ASSISTANT" + turn, 1000));
}

TEST(ChatTemplate, ReplacesTheWrongTemplateOfBitnet) {
  const ChatTemplate wrong(
      "{% for message in messages %}{% if message['role'] == 'user' %}{{ 'Human: ' + "
      "message['content'] + '\\n\\nBITNETAssistant: ' }}{% endif %}{% endfor %}",
      "chat");
  EXPECT_TRUE(wrong.replaced());
  EXPECT_EQ(wrong.Render({{"messages", {{{"role", "user"}, {"content", " hi "}}}},
                          {"add_generation_prompt", true},
                          {"bos_token", "<|begin_of_text|>"}},
                         {}),
            "<|begin_of_text|>User: hi<|eot_id|>Assistant: ");
  EXPECT_FALSE(ChatTemplate("{{ 1 }}", "chat").replaced());
}

}  // namespace
}  // namespace tern
