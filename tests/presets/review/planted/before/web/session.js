export function isAdmin(user) {
  return user.role === 'admin';
}

export function logout(store) {
  store.clear();
}
