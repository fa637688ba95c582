from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bundle_adjustment import CAMERA, SURVEYED, main, residual_function, rotate, synthetic_scene
from sparsejac import sparse_jacobian


def complex_step(f: object, x: np.ndarray) -> np.ndarray:
    """Dense Jacobian, exact to rounding: f uses analytic operations only."""
    assert callable(f)
    columns = [np.imag(f(x + 1e-40j * unit)) / 1e-40 for unit in np.eye(x.size)]
    return np.stack(columns, axis=1)


def test_rotation_equals_scipys_at_all_angles() -> None:
    random = np.random.default_rng(5)
    vectors = random.standard_normal((7, 3)) * np.array([[0], [1e-12], [1e-5], [1e-3], [0.5], [2.0], [3.0]])
    points = random.standard_normal((7, 3))
    np.testing.assert_allclose(rotate(vectors, points), Rotation.from_rotvec(vectors).apply(points), atol=1e-14)


def test_jacobian_equals_complex_step_and_has_the_known_pattern() -> None:
    scene = synthetic_scene(3, 7)
    f = residual_function(scene)
    J = sparse_jacobian(f, scene.start)
    observations = scene.point_of.size
    assert J.shape == (2 * observations + 3 * SURVEYED, 3 * CAMERA + 3 * 7)
    assert np.diff(J.indptr).tolist() == [12] * (2 * observations) + [1] * (3 * SURVEYED)
    np.testing.assert_allclose(J.toarray(), complex_step(f, scene.start), rtol=1e-10, atol=1e-9)


def test_jacobian_is_finite_and_right_without_rotation() -> None:
    scene = synthetic_scene(3, 7)
    f = residual_function(scene)
    x = scene.start.copy()
    x[: 3 * CAMERA].reshape(3, CAMERA)[:, :3] = 0.0
    J = sparse_jacobian(f, x).toarray()
    assert np.all(np.isfinite(J))
    np.testing.assert_allclose(J, complex_step(f, x), rtol=1e-10, atol=1e-9)


def test_each_point_is_seen_by_two_cameras() -> None:
    scene = synthetic_scene(3, 40)
    assert np.bincount(scene.point_of, minlength=40).min() >= 2
    assert np.all(residual_function(scene)(scene.truth) != residual_function(scene)(scene.start))


def test_same_solution_as_with_differences_in_fewer_calls() -> None:
    result = main(["--cameras", "3", "--points", "30"])
    exact, differences = result.exact.solution, result.differences.solution
    assert exact.success
    assert differences.success
    assert exact.cost == pytest.approx(differences.cost, rel=1e-6)
    assert result.deviation < 1e-2
    # Noise of one standard deviation: twice the cost is chi-squared with this many degrees of freedom.
    freedom = exact.fun.size - exact.x.size
    assert 2 * exact.cost == pytest.approx(freedom, abs=5 * np.sqrt(2 * freedom))
    # With an exact Jacobian f is evaluated for the method alone.
    assert result.exact.f_calls == exact.nfev
    assert result.exact.f_calls < result.differences.f_calls


def test_adjustment_finds_the_truth_within_the_noise() -> None:
    result = main(["--cameras", "4", "--points", "40"])
    points = slice(4 * CAMERA, None)
    start_error = np.abs(result.scene.start - result.scene.truth)[points]
    error = np.abs(result.exact.solution.x - result.scene.truth)[points]
    assert np.median(error) < 0.1 * np.median(start_error)


def test_too_small_a_scene_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--cameras", "1"])
    assert "take two cameras" in capsys.readouterr().err
