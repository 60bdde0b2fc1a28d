import DequeModule

/// A waiting line that sources share: each source that has something in it is served in turn, so that one that queues much delays itself.
struct FairQueue<Element> {
    private var elements: [UInt64: (element: Element, source: String)] = [:]
    /// The numbers of each source's elements in their order; also of elements that have left.
    private var lines: [String: (numbers: Deque<UInt64>, count: Int)] = [:]
    /// The sources that have elements, the next to be served first.
    private var turns = Deque<String>()
    private let maximumPerSource: Int

    init(maximumPerSource: Int) { self.maximumPerSource = maximumPerSource }

    var count: Int { self.elements.count }

    /// Adds an element at the end of its source's line. Returns `false` if that is full.
    ///
    /// - Parameter number: Names the element, to remove it; no number may be used twice.
    mutating func append(_ element: Element, number: UInt64, from source: String) -> Bool {
        var line = self.lines.removeValue(forKey: source)
        defer { self.lines[source] = line }
        guard line?.count ?? 0 < self.maximumPerSource else { return false }
        if line == nil {
            line = ([], 0)
            self.turns.append(source)
        }
        line?.numbers.append(number)
        line?.count += 1
        self.elements[number] = (element, source)
        return true
    }

    /// Takes the next element of the source whose turn it is.
    mutating func popFirst() -> Element? {
        while let source = self.turns.popFirst() {
            guard var line = self.lines.removeValue(forKey: source) else { continue }
            while let number = line.numbers.popFirst() {
                guard let (element, _) = self.elements.removeValue(forKey: number) else { continue }
                line.count -= 1
                if line.count > 0 {
                    self.lines[source] = line
                    self.turns.append(source)
                }
                return element
            }
        }
        return nil
    }

    /// Takes an element out, wherever it stands.
    mutating func remove(_ number: UInt64) -> Element? {
        guard let (element, source) = self.elements.removeValue(forKey: number) else { return nil }
        if var line = self.lines.removeValue(forKey: source) {
            line.count -= 1
            if line.numbers.count > 16, line.numbers.count > 2 * line.count {
                line.numbers.removeAll { self.elements[$0] == nil }
            }
            // The source keeps its turn even if nothing of it waits: it may come back, and must not have two.
            self.lines[source] = line
        }
        return element
    }
}
