import DequeModule

/// A queue that is shared fairly: sources are served in turn, so that a source that queues much delays only itself.
struct FairQueue<Element> {
    private var elements: [UInt64: (element: Element, source: String)] = [:]
    /// The numbers of each source's elements in their order, including elements that were removed.
    private var lines: [String: (numbers: Deque<UInt64>, count: Int)] = [:]
    /// The sources that have elements, the next to be served first.
    private var turns = Deque<String>()
    private let maximumPerSource: Int

    init(maximumPerSource: Int) { self.maximumPerSource = maximumPerSource }

    var count: Int { self.elements.count }

    /// Appends an element for its source. Returns `false` if the source has too many already.
    ///
    /// - Parameter number: Identifies the element, to remove it. Must be unique.
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

    /// Removes an element from anywhere in the queue.
    mutating func remove(_ number: UInt64) -> Element? {
        guard let (element, source) = self.elements.removeValue(forKey: number) else { return nil }
        if var line = self.lines.removeValue(forKey: source) {
            line.count -= 1
            if line.numbers.count > 16, line.numbers.count > 2 * line.count {
                line.numbers.removeAll { self.elements[$0] == nil }
            }
            // The source keeps its turn even if it has no more elements: it may queue more, and must not have two turns
            // then.
            self.lines[source] = line
        }
        return element
    }
}
