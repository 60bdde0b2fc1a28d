import MallocCount

/// Measures a body that performs `count` operations, over several rounds. Prints the median time and allocations of one
/// operation, and returns the time. Does nothing if the program's first argument is not part of the name.
@discardableResult
func measure(
    _ name: String, count: Int, rounds: Int = 5, _ body: () async throws -> Void
) async rethrows -> Duration? {
    if let wanted = CommandLine.arguments.dropFirst().first, wanted != "humans", !name.contains(wanted) { return nil }
    try await body()  // warm-up: fills caches, tables and buffers
    var times: [Duration] = []
    var allocations: [UInt64] = []
    for _ in 0..<rounds {
        let mallocs = curlew_malloc_count()
        let start = ContinuousClock.now
        try await body()
        times.append(ContinuousClock.now - start)
        allocations.append(curlew_malloc_count() - mallocs)
    }
    let time = times.sorted()[rounds / 2] / count
    let allocated = Double(allocations.sorted()[rounds / 2]) / Double(count)
    let nanoseconds = Double(time.components.attoseconds) / 1e9 + Double(time.components.seconds) * 1e9
    print("\(pad(name, 58)) \(right(number(nanoseconds, 1), 10)) ns \(right(number(allocated, 3), 9)) mallocs")
    return time
}

func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }

func number(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (value * scale).rounded()
    let whole = Int(scaled / scale)
    let part = Int(scaled) - whole * Int(scale)
    let text = String(part)
    return "\(whole)." + String(repeating: "0", count: digits - text.count) + text
}

/// Keeps the optimizer from removing unused values.
@inline(never)
func blackHole<Value>(_ value: Value) {}
