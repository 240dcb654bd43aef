// SPDX-License-Identifier: MIT
#include "tools/tern/chat_input.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "tern/base/error.h"
#include "tern/text/utf8.h"
#include "tools/tern/command.h"

namespace tern::cli {
namespace {

constexpr std::string_view kFence = "\"\"\"";
constexpr size_t kMaxMessageBytes = size_t{16} << 20;

// What a signal handler may write.
volatile std::sig_atomic_t interrupt_requested = 0;

void RequestInterrupt(int) { interrupt_requested = 1; }

void Handle(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  // Without SA_RESTART: a read that waits for a line gives up.
  ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace

InterruptFlag::InterruptFlag() {
  Clear();
  Handle(&RequestInterrupt);
}
InterruptFlag::~InterruptFlag() { Handle(SIG_DFL); }
bool InterruptFlag::interrupted() { return interrupt_requested != 0; }
void InterruptFlag::Clear() { interrupt_requested = 0; }

ChatInput::ChatInput() : from_terminal_(::isatty(STDIN_FILENO) == 1) {}

void ChatInput::Prompt(const char* text) const {
  if (from_terminal_) Note("{}", text);
}

ChatInput::Kind ChatInput::ReadLine(std::string* line) {
  while (true) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      *line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line->ends_with('\r')) line->pop_back();
      return Kind::kMessage;
    }
    if (at_end_) {
      *line = std::exchange(buffer_, {});
      return line->empty() ? Kind::kEnd : Kind::kMessage;
    }
    if (buffer_.size() > kMaxMessageBytes) {
      Fail(ErrorKind::kInvalidArgument, "a message has more than {} bytes", kMaxMessageBytes);
    }
    char piece[4096];
    const ssize_t size = ::read(STDIN_FILENO, piece, sizeof(piece));
    if (size > 0) {
      buffer_.append(piece, static_cast<size_t>(size));
    } else if (size == 0) {
      at_end_ = true;
    } else if (errno != EINTR) {
      at_end_ = true;
      Fail(ErrorKind::kIo, "cannot read standard input: {}", std::strerror(errno));
    } else if (InterruptFlag::interrupted()) {
      InterruptFlag::Clear();
      buffer_.clear();
      return Kind::kInterrupted;
    }
  }
}

ChatInput::Kind ChatInput::ReadBlock(std::string first, std::string* text) {
  std::string line = std::move(first);
  const auto append = [&](std::string_view more) {
    if (text->size() + more.size() > kMaxMessageBytes) {
      Fail(ErrorKind::kInvalidArgument, "a message has more than {} bytes", kMaxMessageBytes);
    }
    *text += more;
  };
  for (bool opening = true; !line.ends_with(kFence); opening = false) {
    // The line feeds beside a """ that stands alone are no part of the message.
    if (!opening || !line.empty()) append(line + "\n");
    Prompt("... ");
    const Kind kind = ReadLine(&line);
    if (kind == Kind::kEnd) {
      Fail(ErrorKind::kInvalidArgument, "the message that {} opens has no {} at its end", kFence,
           kFence);
    }
    if (kind == Kind::kInterrupted) return kind;
  }
  append(std::string_view(line).substr(0, line.size() - kFence.size()));
  if (text->ends_with('\n')) text->pop_back();
  return Kind::kMessage;
}

ChatInput::Entry ChatInput::Next() {
  Prompt(">>> ");
  Entry entry;
  entry.kind = ReadLine(&entry.text);
  if (entry.kind == Kind::kMessage && entry.text.starts_with(kFence)) {
    entry.block = true;
    std::string first = std::exchange(entry.text, {}).substr(kFence.size());
    entry.kind = ReadBlock(std::move(first), &entry.text);
  }
  if (entry.kind == Kind::kMessage) CheckUtf8(entry.text, "the message");
  return entry;
}

}  // namespace tern::cli
