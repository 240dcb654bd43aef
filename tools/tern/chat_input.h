// SPDX-License-Identifier: MIT
// What a person types in a conversation: messages of one or several lines, and Ctrl-C, which
// interrupts what is under way and never the program.
#pragma once

#include <optional>
#include <string>

namespace tern::cli {

// While it lives Ctrl-C (SIGINT) does nothing but make interrupted() true. One at a time.
class InterruptFlag {
 public:
  InterruptFlag();
  ~InterruptFlag();
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;

  static bool interrupted();
  static void Clear();
};

class ChatInput {
 public:
  enum class Kind : uint8_t { kMessage, kInterrupted, kEnd };
  struct Entry {
    Kind kind = Kind::kEnd;
    std::string text;
    bool block = false;  // given in """, so that it is no command
  };

  // Prompts on stderr if standard input is a terminal.
  ChatInput();

  // The next line, or all lines between """ and """. Throws Error for what is not UTF-8 or larger
  // than a message may be, and when standard input cannot be read.
  Entry Next();

  bool from_terminal() const { return from_terminal_; }

 private:
  // Of standard input, without its line feed; a last line may lack one.
  Kind ReadLine(std::string* line);
  Kind ReadBlock(std::string first, std::string* text);
  void Prompt(const char* text) const;

  bool from_terminal_;
  std::string buffer_;  // read and not yet a line
  bool at_end_ = false;
};

}  // namespace tern::cli
