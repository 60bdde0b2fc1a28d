import LibFuzzer

/// Any valid packets, in any order, of a few clients that keep to the standard and whose connections do not. No message is lost, none comes
/// twice at QoS 2, all come in order; each packet has its answer; no client has more in flight than it allows; and with a store, all that was
/// told is still true when the broker has died.
@main
enum FuzzTraffic {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    /// So many steps are taken at the most: what is left to find is not found by more of them.
    private static let maximumSteps = 300

    /// The first byte of an input tells whether the broker has a store. Each two that follow are a step.
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

/// libFuzzer's own main, linked in but not used, looks for this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTraffic.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
