// Color one matrix with ColPack: colpack INPUT OUTPUT KIND METHOD ORDER.
// INPUT holds rows, columns and entries (int64), then row pointers and column indices (int32) of compressed rows;
// OUTPUT gets the seconds of building the graph and coloring it (double), then the colors as ColPack numbers them (int32):
// rows before columns where both have some. KIND is "partial", "graph" or "bicoloring".

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "ColPackHeaders.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Matrix {
    std::int64_t rows = 0, columns = 0;
    std::vector<unsigned> cells;    // for each row: its number of entries, then their columns
    std::vector<unsigned*> starts;  // where each row begins among the cells
};

Matrix read(const char* file, bool drop_diagonal) {
    std::ifstream in(file, std::ios::binary);
    std::int64_t sizes[3];
    in.read(reinterpret_cast<char*>(sizes), sizeof sizes);
    std::vector<std::int32_t> pointers(sizes[0] + 1), indices(sizes[2]);
    in.read(reinterpret_cast<char*>(pointers.data()), 4 * pointers.size());
    in.read(reinterpret_cast<char*>(indices.data()), 4 * indices.size());
    if (!in) throw std::runtime_error("the input file is too short");
    Matrix matrix;
    matrix.rows = sizes[0];
    matrix.columns = sizes[1];
    matrix.cells.reserve(sizes[0] + sizes[2]);
    std::vector<std::size_t> places;
    for (std::int64_t row = 0; row < sizes[0]; ++row) {
        const std::size_t place = matrix.cells.size();
        places.push_back(place);
        matrix.cells.push_back(0);
        for (auto k = pointers[row]; k < pointers[row + 1]; ++k) {
            if (drop_diagonal && indices[k] == row) continue;
            matrix.cells.push_back(indices[k]);
            ++matrix.cells[place];
        }
    }
    for (const auto place : places) matrix.starts.push_back(matrix.cells.data() + place);
    return matrix;
}

std::vector<int> partial(Matrix& matrix, const std::string& method, const std::string& order) {
    ColPack::BipartiteGraphPartialColoringInterface graph(SRC_MEM_ADOLC, matrix.starts.data(), matrix.rows, matrix.columns);
    graph.PartialDistanceTwoColoring(order, method);
    std::vector<int> colors;
    graph.GetVertexPartialColors(colors);
    return colors;
}

std::vector<int> whole(Matrix& matrix, const std::string& method, const std::string& order) {
    ColPack::GraphColoringInterface graph(SRC_MEM_ADOLC, matrix.starts.data(), matrix.rows);
    graph.Coloring(order, method);
    std::vector<int> colors;
    graph.GetVertexColors(colors);
    return colors;
}

std::vector<int> bicoloring(Matrix& matrix, const std::string& method, const std::string& order) {
    ColPack::BipartiteGraphBicoloringInterface graph(SRC_MEM_ADOLC, matrix.starts.data(), matrix.rows, matrix.columns);
    graph.Bicoloring(order, method);
    std::vector<int> colors, columns;
    graph.GetLeftVertexColors(colors);
    graph.GetRightVertexColors(columns);
    colors.insert(colors.end(), columns.begin(), columns.end());
    return colors;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 6) {
        std::cerr << "usage: colpack INPUT OUTPUT KIND METHOD ORDER\n";
        return 2;
    }
    const std::string kind = arguments[3];
    Matrix matrix = read(arguments[1], kind == "graph");
    const auto start = Clock::now();
    const auto color = kind == "graph" ? whole : kind == "partial" ? partial : bicoloring;
    const std::vector<int> colors = color(matrix, arguments[4], arguments[5]);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::ofstream out(arguments[2], std::ios::binary);
    out.write(reinterpret_cast<const char*>(&seconds), sizeof seconds);
    out.write(reinterpret_cast<const char*>(colors.data()), sizeof(int) * colors.size());
    return out ? 0 : 1;
}
