import LibFuzzer

/// Sends valid packets in any order, from a few clients that follow the standard on unreliable connections. No message
/// may be lost or arrive out of order, none may arrive twice at QoS 2, each packet must be answered, and no client's
/// window may be exceeded. With a store, everything that was acknowledged must survive the broker's death.
@main
enum FuzzTraffic {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    /// The maximum number of steps; more of them find nothing new.
    private static let maximumSteps = 300

    /// The first byte of the input selects whether the broker has a store. Each two following bytes are a step.
    static func run(_ input: UnsafeRawBufferPointer) {
        guard let first = input.first else { return }
        let traffic = Traffic(hasStore: first & 1 == 1)
        var rest = input.dropFirst()
        var steps = 0
        while let choice = rest.popFirst(), let argument = rest.popFirst(), steps < self.maximumSteps {
            traffic.perform(Step(choice, argument))
            steps += 1
        }
        traffic.finish()
    }
}

/// libFuzzer's own main, which is linked but not used, refers to this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTraffic.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
