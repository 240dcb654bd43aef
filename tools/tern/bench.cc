// SPDX-License-Identifier: MIT
// tern bench: how fast a model reads and writes, beside what the machine could do at that moment.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/cpu_topology.h"
#include "tern/base/error.h"
#include "tern/base/settings.h"
#include "tern/runtime/sampler.h"
#include "tern/runtime/session.h"
#include "tools/tern/bench_model.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"
#include "tools/tern/machine.h"
#include "tools/tern/timed_backend.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Measures tokens per second: ppN reads a prompt of N tokens, tgN@D writes N tokens behind a\n"
    "context of D, greedily. After a warm-up every repetition runs each test with each number of\n"
    "threads once, and between them measures the machine's peaks: products per second of the\n"
    "target's multiply-and-add on registers, and bytes per second of reading memory. Figures are\n"
    "medians, with least and greatest; shares are of the peaks of the same repetition.";
constexpr const char* kExamples =
    "  tern bench tern-stories\n"
    "  tern bench --shape bitnet-2b-4t --threads 1,2\n"
    "  tern bench --shape small --generate 100 --prompt 0 --ops\n"
    "  TERN_CPU=avx2 tern bench tern-stories --json";

struct Options : CommonOptions {
  std::string model;
  LoadOptions load;
  std::string shape;
  int64_t prompt = 256;
  int64_t generate = 48;
  int64_t depth = 16;
  int64_t repetitions = 5;
  std::vector<int> thread_counts;
  std::vector<TernaryLayout> layouts;
  DType kv_type = DType::kF32;
  bool all_logits = false;
  bool ops = false;
};

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<int32_t> Ids(int64_t count, int64_t vocab) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>((1 + i * 7919) % vocab));
  return ids;
}

struct Summary {
  double median = 0, least = 0, greatest = 0;
};

Summary Summarize(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t n = values.size();
  return {(values[(n - 1) / 2] + values[n / 2]) / 2, values.front(), values.back()};
}

// One line of the result: a test with a number of threads.
struct Result {
  std::string test;
  int threads = 0;
  std::string layout;         // of the ternary weights; empty: there are none
  std::string peak;           // what the share is of
  std::vector<double> rates;  // tokens per second, by repetition
  std::vector<double> peaks;  // of the machine, in the same repetition
  double work_per_token = 0;  // in the peak's unit

  double Share() const {
    std::vector<double> shares;
    for (size_t i = 0; i < rates.size(); ++i) {
      if (peaks[i] > 0) shares.push_back(rates[i] * work_per_token / peaks[i]);
    }
    return shares.empty() ? 0 : Summarize(shares).median;
  }
};

std::unique_ptr<Context> MakeTimedContext(const Options& options, int threads,
                                          TimedBackend** backend) {
  auto ctx = std::make_unique<Context>(
      ContextOptions{.threads = threads, .log = {}, .cpus = CpusFor(options, threads)});
  auto timed = std::make_unique<TimedBackend>(
      ReadSettings().cpu_target,
      MemoryPoolOptions{.byte_limit = options.memory_limit_bytes, .source = nullptr});
  *backend = timed.get();
  ctx->AddBackend(std::move(timed));
  return ctx;
}

// The tests on one number of threads.
class Bench {
 public:
  Bench(const Options& options, Context& ctx, const Model& model)
      : options_(options),
        ctx_(ctx),
        model_(model),
        prompt_(Ids(std::max(options.prompt, options.depth), model.config().vocab_size)),
        reader_(ctx, model,
                {.capacity = std::max<int64_t>(1, options.prompt), .kv_dtype = options.kv_type}),
        writer_(ctx, model,
                {.capacity = std::max<int64_t>(1, options.depth + options.generate),
                 .kv_dtype = options.kv_type}),
        sampler_(ctx.pool(), {.temperature = 0}) {
    if (options.generate > 0) last_ = sampler_.Next(Feed(writer_, options.depth), {});
  }

  // Tokens per second.
  double Read() {
    reader_.Rewind(0);
    const auto start = std::chrono::steady_clock::now();
    Feed(reader_, options_.prompt);
    return static_cast<double>(options_.prompt) / SecondsSince(start);
  }
  double Write() {
    writer_.Rewind(options_.depth);
    int32_t id = last_;
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < options_.generate; ++i)
      id = sampler_.Next(writer_.Feed(id, Needed()), {});
    return static_cast<double>(options_.generate) / SecondsSince(start);
  }

  Context& context() const { return ctx_; }
  const Model& model() const { return model_; }

 private:
  int64_t Needed() const { return options_.all_logits ? 0 : sampler_.needed(); }
  std::span<const float> Feed(Session& session, int64_t tokens) {
    return session.Feed(std::span(prompt_).first(static_cast<size_t>(tokens)), Needed());
  }

  const Options& options_;
  Context& ctx_;
  const Model& model_;
  std::vector<int32_t> prompt_;
  Session reader_;
  Session writer_;
  Sampler sampler_;
  int32_t last_ = 0;
};

struct Report {
  std::string model;
  std::string target;
  TokenWork work;
  double load_seconds = 0;
  int64_t buffer_bytes = 0;
  uint64_t peak_bytes = 0;
  std::vector<Result> results;
  std::vector<std::pair<std::string, std::map<std::string, TimedBackend::Total>>> ops;
};

const kernels::KernelTable& Kernels(Context& ctx) {
  return dynamic_cast<const CpuBackend&>(ctx.default_backend()).kernels();
}

// Every repetition takes all tests in turn, so that what disturbs the machine disturbs all.
void RunTests(const Options& options, const ReadPeak& read_peak,
              std::vector<std::unique_ptr<Bench>>& benches, std::vector<Result>* results) {
  for (const auto& bench : benches) {
    const int threads = bench->context().threads().threads();
    const TokenWork work = MeasureTokenWork(bench->context(), bench->model(), options.all_logits);
    results->push_back({.test = fmt::format("pp{}", options.prompt),
                        .threads = threads,
                        .layout = work.layout,
                        .peak = "multiply-and-add",
                        .rates = {},
                        .peaks = {},
                        .work_per_token = static_cast<double>(work.ternary_products)});
    results->push_back(
        {.test = fmt::format("tg{}@{}", options.generate, options.depth),
         .threads = threads,
         .layout = work.layout,
         .peak = "reading",
         .rates = {},
         .peaks = {},
         .work_per_token = static_cast<double>(work.ternary_bytes + work.other_bytes)});
    if (options.prompt > 0) bench->Read();
    if (options.generate > 0) bench->Write();
  }
  for (int64_t i = 0; i < options.repetitions; ++i) {
    for (size_t b = 0; b < benches.size(); ++b) {
      Bench& bench = *benches[b];
      Context& ctx = bench.context();
      Result& reading = (*results)[2 * b];
      Result& writing = (*results)[2 * b + 1];
      if (options.prompt > 0) {
        reading.rates.push_back(bench.Read());
        reading.peaks.push_back(MeasureRegisterPeak(ctx, Kernels(ctx)));
      }
      if (options.generate > 0) {
        writing.rates.push_back(bench.Write());
        writing.peaks.push_back(read_peak.Measure(ctx.threads(), 3));
      }
    }
  }
  std::erase_if(*results, [](const Result& result) { return result.rates.empty(); });
}

// Once more with a clock on every op.
void TimeOps(const Options& options, const Model& model, int threads, Report* report) {
  TimedBackend* backend = nullptr;
  const std::unique_ptr<Context> ctx = MakeTimedContext(options, threads, &backend);
  Bench bench(options, *ctx, model);
  const auto time = [&](const std::string& test, auto run) {
    run();
    backend->Reset();
    run();
    report->ops.emplace_back(fmt::format("{}, {} thread{}", test, threads, threads > 1 ? "s" : ""),
                             backend->totals());
  };
  if (options.prompt > 0) time(fmt::format("pp{}", options.prompt), [&] { bench.Read(); });
  if (options.generate > 0) {
    time(fmt::format("tg{}@{}", options.generate, options.depth), [&] { bench.Write(); });
  }
}

nlohmann::ordered_json ToJson(const Report& report) {
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const Result& result : report.results) {
    const Summary rate = Summarize(result.rates);
    results.push_back({{"test", result.test},
                       {"threads", result.threads},
                       {"weights_layout", result.layout},
                       {"tokens_per_second", rate.median},
                       {"least", rate.least},
                       {"greatest", rate.greatest},
                       {"samples", result.rates},
                       {"peak", result.peak},
                       {"peak_per_second", Summarize(result.peaks).median},
                       {"share_of_peak", result.Share()}});
  }
  nlohmann::ordered_json json = {{"model", report.model},
                                 {"target", report.target},
                                 {"load_seconds", report.load_seconds},
                                 {"peak_memory_bytes", report.peak_bytes},
                                 {"ternary_weights", report.work.ternary_products},
                                 {"ternary_bytes", report.work.ternary_bytes},
                                 {"other_bytes_per_token", report.work.other_bytes},
                                 {"read_buffer_bytes", report.buffer_bytes},
                                 {"results", results}};
  for (const auto& [test, totals] : report.ops) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& [op, total] : totals) {
      list.push_back({{"op", op}, {"calls", total.calls}, {"seconds", total.seconds}});
    }
    json["ops"].push_back({{"test", test}, {"ops", list}});
  }
  return json;
}

void PrintOps(const std::string& test, const std::map<std::string, TimedBackend::Total>& totals) {
  double all = 0;
  std::vector<std::pair<std::string, TimedBackend::Total>> order(totals.begin(), totals.end());
  for (const auto& [op, total] : order) all += total.seconds;
  std::ranges::sort(order, std::greater(), [](const auto& entry) { return entry.second.seconds; });
  Print(fmt::format("\n{:<36}{:>10}{:>9}{:>8}\n", test, "ms", "share", "calls"));
  for (const auto& [op, total] : order) {
    Print(fmt::format("{:<36}{:>10.2f}{:>7.1f} %{:>8}\n", op, total.seconds * 1e3,
                      100 * total.seconds / all, total.calls));
  }
}

void PrintReport(const Report& report) {
  Print(fmt::format("model      {}: {} ternary weights in {}, {} more to read for a token\n",
                    report.model, CountText(report.work.ternary_products),
                    BytesText(static_cast<double>(report.work.ternary_bytes)),
                    BytesText(static_cast<double>(report.work.other_bytes))));
  Print(fmt::format("target     {}\n", report.target));
  Print(fmt::format("loaded in  {:.2f} s; most memory in use {}\n\n", report.load_seconds,
                    BytesText(static_cast<double>(report.peak_bytes))));
  Print(fmt::format("{:<14}{:>7}{:>8}{:>12}{:>20}   {}\n", "test", "threads", "trits", "tokens/s",
                    "least .. greatest", "share of the machine's peak"));
  for (const Result& result : report.results) {
    const Summary rate = Summarize(result.rates);
    const bool reads = result.peak == "reading";
    Print(fmt::format("{:<14}{:>7}{:>8}{:>12.1f}{:>20}   {:.0f} % of {:.1f} {}\n", result.test,
                      result.threads, result.layout, rate.median,
                      fmt::format("{:.1f} .. {:.1f}", rate.least, rate.greatest),
                      100 * result.Share(), Summarize(result.peaks).median / 1e9,
                      reads ? "GB/s of reading" : "G products/s"));
  }
  for (const auto& [test, totals] : report.ops) PrintOps(test, totals);
}

std::vector<int> ThreadCounts(const Options& options) {
  if (!options.thread_counts.empty()) return options.thread_counts;
  return {ThreadCount(options)};
}

// One for each layout that was asked for.
std::vector<std::unique_ptr<Model>> MakeModels(Context& ctx, const Options& options) {
  std::vector<std::optional<TernaryLayout>> layouts(options.layouts.begin(), options.layouts.end());
  if (layouts.empty()) layouts.emplace_back();
  LoadOptions load = options.load;
  load.tokenizer = false;
  std::vector<std::unique_ptr<Model>> models;
  models.reserve(layouts.size());
  for (const std::optional<TernaryLayout> layout : layouts) {
    load.layout = layout;
    models.push_back(options.shape.empty()
                         ? Load(ctx, options.model, load).model
                         : MakeRandomModel(ctx, ShapeConfig(options.shape), layout));
  }
  return models;
}

void CheckContext(const Options& options, int64_t most) {
  if (options.prompt > most || options.depth > most || options.generate > most - options.depth) {
    Fail(ErrorKind::kInvalidArgument,
         "{} tokens to read, or {} to write behind {}, are more than the model's context of {} "
         "(max_position_embeddings)",
         options.prompt, options.generate, options.depth, most);
  }
}

int Run(const Options& options) {
  const std::vector<int> counts = ThreadCounts(options);
  // A model runs on any context; its memory is that of the one with the most threads.
  Options most = options;
  most.threads = *std::ranges::max_element(counts);
  const std::unique_ptr<Context> owner = MakeContext(most);
  Report report;
  report.model = options.shape.empty() ? options.model : options.shape + " (random)";
  report.target = Kernels(*owner).target;
  const auto start = std::chrono::steady_clock::now();
  const std::vector<std::unique_ptr<Model>> models = MakeModels(*owner, options);
  report.load_seconds = SecondsSince(start);
  CheckContext(options, models[0]->config().max_positions);
  report.peak_bytes = owner->pool().stats().peak_bytes;
  report.work = MeasureTokenWork(*owner, *models[0], options.all_logits);
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<std::unique_ptr<Bench>> benches;
  for (const int threads : counts) {
    CommonOptions common = options;
    common.threads = threads;
    contexts.push_back(MakeContext(common));
    for (const std::unique_ptr<Model>& model : models) {
      benches.push_back(std::make_unique<Bench>(options, *contexts.back(), *model));
    }
  }
  report.buffer_bytes =
      PeakBufferBytes(CpuTopology::Detect(), ReadMachineMemory(), options.memory_limit_bytes);
  const ReadPeak read_peak(*owner, report.buffer_bytes);
  RunTests(options, read_peak, benches, &report.results);
  if (options.ops) {
    for (const int threads : counts) TimeOps(options, *models[0], threads, &report);
  }
  if (options.json) {
    PrintJson(ToJson(report));
  } else {
    PrintReport(report);
  }
  return 0;
}

}  // namespace

void AddBench(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, "bench", "Tokens per second, beside the machine's peaks", kText, kExamples);
  CLI::Option* model = command->add_option(
      "MODEL", options->model, "A model as `tern generate` takes it; or none, with --shape");
  model->type_name("");
  command
      ->add_option("--shape", options->shape,
                   fmt::format("Random weights in the shape of: {}", fmt::join(ShapeNames(), ", ")))
      ->check(CLI::IsMember(ShapeNames()).description(""))
      ->type_name("NAME")
      ->excludes(model);
  const auto count = [&](const char* name, int64_t* value, int64_t least, const char* text) {
    command->add_option(name, *value, text)
        ->check(AtLeast(least))
        ->capture_default_str()
        ->type_name("N");
  };
  count("--prompt", &options->prompt, 0, "Tokens to read; 0: no such test");
  count("--generate", &options->generate, 0, "Tokens to write; 0: no such test");
  count("--depth", &options->depth, 1, "Tokens before those that are written");
  count("--repetitions", &options->repetitions, 1, "Repetitions after the warm-up");
  command
      ->add_option("--threads", options->thread_counts,
                   "Numbers of threads, e.g. 1,2 (default: as elsewhere)")
      ->delimiter(',')
      ->check(CLI::Range(1, kMaxThreads).description(""))
      ->type_name("LIST");
  AddPinOption(command, options.get());
  AddLayoutsOption(command, &options->layouts);
  AddKvTypeOption(command, &options->kv_type);
  command->add_flag("--all-logits", options->all_logits,
                    "Compute every logit, as sampling without --top-k does");
  command->add_flag("--ops", options->ops, "Also the time of each kind of op");
  AddLoadOptions(command, &options->load);
  AddOutputOptions(command, options.get());
  command->callback([run, options] {
    if (options->model.empty() && options->shape.empty()) {
      throw CLI::RequiredError("MODEL or --shape");
    }
    if (options->prompt == 0 && options->generate == 0) {
      throw CLI::ValidationError("--prompt 0 and --generate 0 leave nothing to measure");
    }
    *run = [options] { return Run(*options); };
  });
}

}  // namespace tern::cli
