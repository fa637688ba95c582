"""Public callables of SciPy's modules that have no function of their own in the tables of the tracer."""

from __future__ import annotations

NO_RULE = ("there is no rule for it", "write it with calls that are followed, or give it a rule by sparsejac.primitive")
_OPAQUE = ("it runs compiled code or a solver", "add the unknowns of the inner problem to x and its equations to f")
_CONSTANT = (
    "it is made of constant data alone",
    "write the interpolation with slices, or as a constant matrix @ values",
)

WITHOUT_VALUES: dict[str, dict[str, str]] = {
    "scipy.special": {
        "settings, errors and types": "SpecialFunctionError SpecialFunctionWarning errstate geterr seterr test",
        "zeros and sequences of numbers": """
            ai_zeros bi_zeros bei_zeros beip_zeros ber_zeros berp_zeros bernoulli erf_zeros euler fresnel_zeros
            fresnelc_zeros fresnels_zeros jn_zeros jnjnp_zeros jnp_zeros jnyn_zeros kei_zeros keip_zeros kelvin_zeros
            ker_zeros kerp_zeros y0_zeros y1_zeros y1p_zeros yn_zeros ynp_zeros""",
        "nodes of quadratures": """
            c_roots cg_roots h_roots he_roots j_roots js_roots l_roots la_roots p_roots ps_roots s_roots t_roots
            ts_roots u_roots us_roots roots_chebyc roots_chebys roots_chebyt roots_chebyu roots_gegenbauer
            roots_genlaguerre roots_hermite roots_hermitenorm roots_jacobi roots_laguerre roots_legendre
            roots_sh_chebyt roots_sh_chebyu roots_sh_jacobi roots_sh_legendre""",
    },
    "scipy.linalg": {
        "errors, tests and wrappers of LAPACK": """
            LinAlgError LinAlgWarning test find_best_blas_type get_blas_funcs get_lapack_funcs""",
        "makes a matrix from plain numbers": "dft hadamard helmert hilbert invhilbert invpascal pascal",
        "asks for the structure": "bandwidth ishermitian issymmetric",
    },
    "scipy.sparse": {
        "types, warnings and files": """
            SparseEfficiencyWarning SparseWarning sparray spmatrix load_npz save_npz test""",
        "asks for the kind": """
            get_index_dtype issparse isspmatrix isspmatrix_bsr isspmatrix_coo isspmatrix_csc isspmatrix_csr
            isspmatrix_dia isspmatrix_dok isspmatrix_lil safely_cast_index_arrays""",
        "makes a matrix from plain numbers": "eye eye_array identity rand random random_array",
    },
    "scipy.sparse.linalg": {
        "errors, settings and structure": """
            ArpackError ArpackNoConvergence MatrixRankWarning test use_solver is_sptriangular spbandwidth
            LaplacianNd""",
    },
    "scipy.interpolate": {"a test": "test", "a name that is gone": "interp2d"},
    "scipy.ndimage": {
        "a test": "test",
        "masks and labels": """
            binary_closing binary_dilation binary_erosion binary_fill_holes binary_hit_or_miss binary_opening
            binary_propagation find_objects generate_binary_structure iterate_structure""",
    },
    "scipy.signal": {
        "errors and tests": "BadCoefficients test",
        "designs a filter or a window from plain numbers": """
            bessel besselap buttap butter buttord cheb1ap cheb1ord cheb2ap cheb2ord cheby1 cheby2 ellip ellipap
            ellipord firls firwin firwin2 firwin_2d get_window iircomb iirdesign iirfilter iirnotch iirpeak
            kaiser_atten kaiser_beta kaiserord max_len_seq minimum_phase remez savgol_coeffs unit_impulse
            correlation_lags choose_conv_method check_COLA check_NOLA closest_STFT_dual_window czt_points
            band_stop_obj""",
        "makes a wavelet from plain numbers": "cascade daub morlet morlet2 qmf ricker",
    },
    "scipy.fft": {
        "settings and plain numbers": """
            fftfreq rfftfreq fhtoffset get_workers next_fast_len prev_fast_len register_backend set_backend
            set_global_backend set_workers skip_backend test""",
    },
}
"""Module -> reason -> names."""

REFUSED: dict[str, dict[tuple[str, str], str]] = {
    "scipy.special": {
        NO_RULE: """
            agm bdtrik bdtrin besselpoly btdtria btdtrib chdtriv chndtridf chndtrinc chndtrix elliprd elliprg elliprj
            fdtridfd gdtrib mathieu_a mathieu_b mathieu_cem mathieu_modcem1 mathieu_modcem2 mathieu_modsem1
            mathieu_modsem2 mathieu_sem modfresnelm modfresnelp nbdtrik nbdtrin ncfdtr ncfdtri ncfdtridfd ncfdtridfn
            ncfdtrinc nctdtr nctdtridf nctdtrinc nctdtrit obl_ang1 obl_ang1_cv obl_cv obl_rad1 obl_rad1_cv obl_rad2
            obl_rad2_cv pdtrik pro_ang1 pro_ang1_cv pro_cv pro_rad1 pro_rad1_cv pro_rad2 pro_rad2_cv smirnov smirnovi
            stdtridf zetac btdtr btdtri sph_harm""",
        ("it makes a polynomial object", "use the eval_ function of the same family"): """
            assoc_laguerre chebyc chebys chebyt chebyu gegenbauer genlaguerre hermite hermitenorm jacobi laguerre
            legendre sh_chebyt sh_chebyu sh_jacobi sh_legendre""",
    },
    "scipy.linalg": {
        NO_RULE: """
            cdf2rdf cholesky_banded clarkson_woodruff_transform cossin diagsvd eig_banded eigh_tridiagonal
            eigvals_banded eigvalsh_tridiagonal expm_cond expm_frechet fiedler_companion fractional_matrix_power funm
            hessenberg ldl matmul_toeplitz matrix_balance null_space ordqz orth orthogonal_procrustes pinvh polar
            qr_delete qr_insert qr_multiply qr_update qz rq rsf2csf schur signm subspace_angles tanhm tanm""",
    },
    "scipy.sparse": {NO_RULE: "expand_dims find matrix_transpose permute_dims swapaxes"},
    "scipy.sparse.linalg": {
        _OPAQUE: "funm_multiply_krylov",
        NO_RULE: "expm inv matrix_power onenormest norm aslinearoperator LinearOperator",
    },
    "scipy.interpolate": {
        _CONSTANT: """
            AAA FloaterHormannInterpolator lagrange pade approximate_taylor_polynomial bisplrep make_splprep
            make_splrep make_smoothing_spline splprep splrep barycentric_interpolate krogh_interpolate""",
        ("scattered data", "np.interp, or RegularGridInterpolator on a grid"): """
            CloughTocher2DInterpolator LinearNDInterpolator NearestNDInterpolator griddata""",
        ("there is no rule for it", "write the sum of the kernels"): "RBFInterpolator Rbf",
        ("there is no rule for it", "RectBivariateSpline(...).ev"): """
            bisplev BivariateSpline LSQSphereBivariateSpline RectSphereBivariateSpline SmoothSphereBivariateSpline""",
        NO_RULE: "insert spalde splantider splder splint sproot generate_knots",
    },
    "scipy.ndimage": {
        NO_RULE: """
            black_tophat white_tophat grey_closing grey_opening morphological_gradient morphological_laplace
            distance_transform_bf distance_transform_cdt extrema fourier_ellipsoid fourier_gaussian fourier_shift
            fourier_uniform geometric_transform histogram labeled_comprehension maximum maximum_position median minimum
            minimum_position value_indices vectorized_filter watershed_ift""",
    },
    "scipy.signal": {
        NO_RULE: """
            CZT ShortTimeFFT StateSpace TransferFunction ZerosPolesGain ZoomFFT dlti lti czt zoom_fft envelope hilbert2
            chirp gammatone gausspulse gauss_spline sawtooth square sweep_poly lombscargle vectorstrength
            cspline1d_eval cspline2d qspline1d_eval qspline2d sepfir2d spline_filter find_peaks_cwt peak_prominences
            peak_widths whittaker_henderson cmplx_sort cwt""",
        ("it turns a filter or a system into another form", "compute the coefficients from constants"): """
            abcd_normalize bilinear bilinear_zpk bode cont2discrete dbode dfreqresp dimpulse dstep findfreqs freqresp
            freqs_zpk freqz_sos freqz_zpk invres invresz lfilter_zi lp2bp lp2bp_zpk lp2bs lp2bs_zpk lp2hp lp2hp_zpk
            lp2lp lp2lp_zpk normalize place_poles residue residuez sos2tf sos2zpk sosfilt_zi ss2tf ss2zpk tf2sos tf2ss
            tf2zpk unique_roots zpk2sos zpk2ss zpk2tf""",
    },
    "scipy.fft": {NO_RULE: "fht ifht"},
}
"""Module -> (reason, cure) -> names: what raises where it meets a value that depends on x."""

OBJECTS: dict[str, dict[str, str]] = {
    "scipy.sparse.linalg": {
        "of a constant matrix; `solve` takes what depends on x": "SuperLU splu spilu factorized",
    },
    "scipy.interpolate": {
        "made of constant data, called at points that depend on x": """
            BPoly BarycentricInterpolator InterpolatedUnivariateSpline KroghInterpolator LSQUnivariateSpline NdBSpline
            NdPPoly RectBivariateSpline UnivariateSpline SmoothBivariateSpline LSQBivariateSpline""",
        "at points that depend on x, or of data y that do": """
            CubicSpline interp1d make_interp_spline make_lsq_spline""",
        "at points that depend on x, or of data and places that do; the piece of a point is a decision then": """
            Akima1DInterpolator CubicHermiteSpline PPoly PchipInterpolator pchip""",
        "at points that depend on x, or of coefficients c that do": "BSpline",
        "at points that depend on x, or of values that do": "RegularGridInterpolator interpn",
    },
}
"""Module -> remark -> names of classes and makers of objects whose methods are followed."""
