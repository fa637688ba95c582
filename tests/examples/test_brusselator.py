from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import block_array, csr_array, diags_array

from brusselator import brusselator, main
from sparsejac import jacobian


def laplacian_matrix(size: int) -> csr_array:
    """Five-point Laplacian on a periodic grid, entry by entry."""
    dense = np.zeros((size * size, size * size))
    for row in range(size):
        for column in range(size):
            here = row * size + column
            dense[here, here] -= 4 * size**2
            for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                dense[here, (row + down) % size * size + (column + right) % size] += size**2
    return csr_array(dense)


@pytest.mark.parametrize("t", [0.0, 1.1, 5.0])
def test_jacobian_equals_the_formulas(t: float) -> None:
    f, y = brusselator(5)
    y = y + np.random.default_rng(1).uniform(0.1, 1, y.size)
    u, v = y[:25], y[25:]
    diffusion = 0.1 * laplacian_matrix(5)
    expected = block_array(
        [
            [diags_array(2 * u * v - 4.4) + diffusion, diags_array(u**2)],
            [diags_array(3.4 - 2 * u * v), diags_array(-(u**2)) + diffusion],
        ]
    )
    J = jacobian(f, argnums=1)(t, y)
    assert J.nnz == 2 * 25 * 6  # the five-point stencil and the other substance
    np.testing.assert_allclose(J.toarray(), expected.toarray(), rtol=1e-12, atol=1e-12)


def test_right_hand_side_point_by_point() -> None:
    size = 6
    f, y = brusselator(size)
    u, v = y.reshape(2, size, size)
    before, after = f(1.0, y).reshape(2, size, size), f(1.2, y).reshape(2, size, size)
    for i in range(size):
        for j in range(size):
            lap_v = v[i - 1, j] + v[(i + 1) % size, j] + v[i, j - 1] + v[i, (j + 1) % size] - 4 * v[i, j]
            dv = 3.4 * u[i, j] - u[i, j] ** 2 * v[i, j] + 0.1 * size**2 * lap_v
            assert before[1, i, j] == pytest.approx(dv, abs=1e-10)
            source = 5.0 if (j / size - 0.3) ** 2 + (i / size - 0.6) ** 2 <= 0.01 else 0.0
            assert after[0, i, j] - before[0, i, j] == pytest.approx(source, abs=1e-10)
    assert np.max(after - before) == pytest.approx(5.0)


def test_same_solution_as_with_differences_in_fewer_calls() -> None:
    result = main(["--size", "8", "--end", "2.5", "--rtol", "1e-6"])
    assert result.exact.solution.success
    assert result.differences.solution.success
    assert result.deviation < 1e-4
    assert result.exact.solution.njev > 1
    # With an exact Jacobian f is evaluated for the method alone.
    assert result.exact.f_calls == result.exact.solution.nfev
    assert result.differences.f_calls > result.differences.solution.nfev
    assert result.exact.f_calls < result.differences.f_calls


def test_console_shows_both(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--size", "4", "--end", "0.2"])
    printed = capsys.readouterr().out
    assert "sparsejac" in printed
    assert "SciPy's differences" in printed


def test_too_small_a_grid_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--size", "2"])
    assert "take 3 or more" in capsys.readouterr().err
